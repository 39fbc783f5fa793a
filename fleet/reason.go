package fleet

import (
	"fmt"
	"math/rand/v2"
	"strconv"
)

// complaint is a reason that devices give for not doing a job.
type complaint struct {
	share  int    // of a hundred
	code   string // the same for all devices with this complaint, for counting
	reason string // with a place for a number of 1 to 99
}

// failures is what goes wrong with updates in the field, most frequent first.
var failures = []complaint{
	{30, "DOWNLOAD_TIMEOUT", "download timed out after 300 s with %d %% received"},
	{18, "CHECKSUM_MISMATCH", "SHA-256 of the image does not match; it differs from block %d on"},
	{14, "NO_SPACE", "no space left on /data: %d KiB are missing"},
	{11, "POWER_LOSS", "power was lost with %d %% written; the old slot is in use again"},
	{9, "REBOOT_LOOP", "the new image did not report healthy after %d restarts; rolled back"},
	{8, "SIGNATURE_INVALID", "signature of the image is wrong; key slot %d"},
	{6, "FLASH_WRITE", "flash write failed at sector %d"},
	{4, "SELF_TEST", "self-test %d failed after the update; rolled back"},
}

// refusals is why devices do not begin a job.
var refusals = []complaint{
	{40, "BATTERY_LOW", "battery at %d %%; updates wait for mains power"},
	{25, "IN_USE", "in use; the next maintenance window begins in %d h"},
	{20, "UNSUPPORTED_HARDWARE", "hardware revision %d is not supported by this job"},
	{15, "NOT_NEWER", "firmware build %d is installed already, and newer"},
}

// fails and refuses say what an execution's statusDetails say when it ends so.
func (b Behavior) fails(thing, job string, number int64) map[string]string {
	return pick(failures, b.dice("failure", thing, job, strconv.FormatInt(number, 10)))
}

func (b Behavior) refuses(thing, job string, number int64) map[string]string {
	return pick(refusals, b.dice("refusal", thing, job, strconv.FormatInt(number, 10)))
}

func pick(from []complaint, dice *rand.Rand) map[string]string {
	roll := dice.IntN(100)
	c := from[0]
	for _, c = range from {
		if roll -= c.share; roll < 0 {
			break
		}
	}
	return map[string]string{"code": c.code, "reason": fmt.Sprintf(c.reason, 1+dice.IntN(99))}
}
