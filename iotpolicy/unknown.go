package iotpolicy

import "slices"

// UnknownActions returns the Action elements of a policy that match none of known, in
// the order of the policy, in lower case and without duplicates. known are whole names
// such as iot:CreateJob. An unknown element has no effect, so it is most likely a
// spelling mistake. Of an action of the data planes, which has two names
// (identity-and-auth.md B.5), known may contain either.
func (p *Policy) UnknownActions(known []string) []string {
	var unknown []string
	for _, st := range p.statements {
		for _, a := range st.actions {
			fits := func(action string) bool {
				other, two := otherNames[action]
				return a.match(action) || two && a.match(other)
			}
			if !slices.ContainsFunc(known, fits) && !slices.Contains(unknown, a.text) {
				unknown = append(unknown, a.text)
			}
		}
	}
	return unknown
}
