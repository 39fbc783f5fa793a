package rollout

import (
	"fmt"
	"math"
	"strconv"

	"github.com/muster-iot/muster"
)

// AbortReasonCode is the reasonCode of a job that an abort criterion cancelled
// (jobs-lifecycle.md J19).
const AbortReasonCode = "ABORT_CRITERIA_MET"

// Abort reports whether a job with the counts c meets one of its abort criteria, and
// the comment for the cancelled job (jobs-lifecycle.md section 11). Only executions
// that a device or a timer ended count as executed. The arithmetic is exact.
func Abort(criteria []muster.AbortCriterion, c muster.Counts) (comment string, ok bool) {
	failed, rejected, timedOut := c.Of(muster.Failed), c.Of(muster.Rejected), c.Of(muster.TimedOut)
	executed := c.Of(muster.Succeeded) + failed + rejected + timedOut
	for _, a := range criteria {
		var bad int64
		switch a.Failure {
		case muster.FailureFailed:
			bad = failed
		case muster.FailureRejected:
			bad = rejected
		case muster.FailureTimedOut:
			bad = timedOut
		case muster.FailureAll:
			bad = failed + rejected + timedOut
		}
		if executed > 0 && executed >= int64(a.MinExecuted) && 10_000*bad >= hundredths(a.ThresholdPercent)*executed {
			return abortComment(a, bad, executed), true
		}
	}
	return "", false
}

func abortComment(a muster.AbortCriterion, bad, executed int64) string {
	share := 10_000 * bad / executed
	failure := string(a.Failure)
	if a.Failure == muster.FailureAll {
		failure = "FAILED, REJECTED or TIMED_OUT"
	}
	return fmt.Sprintf("Job aborted: %d.%02d%% %s of %d executed things (threshold %s%%)",
		share/100, share%100, failure, executed, strconv.FormatFloat(a.ThresholdPercent, 'f', -1, 64))
}

// hundredths returns a percentage in hundredths. It is exact for all that CheckAbort
// accepts.
func hundredths(percent float64) int64 { return int64(math.Round(percent * 100)) }
