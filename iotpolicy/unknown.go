package iotpolicy

import "slices"

// UnknownActions returns the action elements of a policy that fit none of known,
// which are whole names such as iot:CreateJob: in the order of the policy, in
// lower case and each once. Such an element has no effect, so it is most likely
// a spelling mistake. An action of the data planes has two names (B.5), and
// either may be the known one.
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
