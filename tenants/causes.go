package tenants

import "strings"

// unforeseen stands for certificates that expired although nothing was found to be wrong with them.
var unforeseen = Explanation{
	Short: "Expired with no cause found", Happened: "It expired although nothing was found to be wrong",
	Why: "Its last check and its last order were fine.",
	Who: OperatorDo, Do: "Look whether the portal was running when it should have renewed.",
}

// Standing is the cause in words for many certificates together: those that had been issued before, so their record was
// right once. The empty Code is explained too: nothing was found, yet they expired.
func (c Code) Standing() Explanation {
	if c == "" {
		return unforeseen
	}
	return Explain(Finding{Code: c}.afterProof())
}

// Known reports whether this version has words for the code.
func (c Code) Known() bool {
	_, ok := explanations[c]
	return ok && !strings.Contains(string(c), "/")
}
