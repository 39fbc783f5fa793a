package rollout

import "math/bits"

// numbers is a set of the numbers 0 to 255.
type numbers [4]uint64

func (s *numbers) add(n int) { s[n>>6] |= 1 << (n & 63) }

func (s *numbers) has(n int) bool { return s[n>>6]>>(n&63)&1 != 0 }

// from returns the smallest member that is at least n, or -1.
func (s *numbers) from(n int) int {
	for ; n < 256; n = n>>6<<6 + 64 {
		if rest := s[n>>6] >> (n & 63); rest != 0 {
			return n + bits.TrailingZeros64(rest)
		}
	}
	return -1
}
