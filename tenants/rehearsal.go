package tenants

import "time"

// Rehearsal is a dry run, as pages call it: an order at the staging directory of an issuer. It goes the whole path with a
// key of its own, and nothing of it is kept. The domain, its certificate and the issuer's budget do not notice it.
type Rehearsal struct {
	Asked   time.Time // which dry run of the domain it is
	By      string    // who asked
	Issuer  Issuer    // the staging directory; zero when there is none
	Seen    time.Time // when the record was seen right for it
	Order   *Order    // nil until the record was seen
	Ended   time.Time
	Finding Finding   // while it runs, what stands in its way; then why it failed, zero when it passed
	Tidied  time.Time // what it won at the staging directory was given back
}

// What is done for a dry run.
const (
	ActPlanRehearsal Act = "plan dry run" // make a key and an order row at the staging directory
	ActRehearse      Act = "rehearse"     // take the dry run's order further, coming back at Step.At at the latest
	ActEndRehearsal  Act = "end dry run"  // for Step.Finding
	ActTidyRehearsal Act = "tidy dry run" // give back what it won at the staging directory
)

// What the audit log records of a dry run.
const (
	DidAskRehearsal  Action = "dryrun.ask" // a person asked
	DidPassRehearsal Action = "dryrun.pass"
	DidFailRehearsal Action = "dryrun.fail"
)

// RehearsalTime is how long a dry run may take: somebody waits for the answer, and "not within ten minutes" is one.
const RehearsalTime = 10 * time.Minute

// Dry reports whether the order is a rehearsal, of which no version may come.
func (o Order) Dry() bool { return o.Reason == InRehearsal }

// Passed reports whether it came to its end with a certificate that would have been kept.
func (r Rehearsal) Passed() bool { return !r.Ended.IsZero() && r.Finding.OK() }

// Ends is when it ends at the latest.
func (r Rehearsal) Ends() time.Time { return r.Asked.Add(RehearsalTime) }

// placed reports whether the authority may know of the order.
func (r Rehearsal) placed() bool {
	return r.Order != nil && (r.Order.State != Planned || !r.Order.Placing.IsZero())
}

// Late is the finding of a dry run that found no end in time: what stood in its way last, if anything did.
func (r Rehearsal) Late() Finding {
	if !r.Finding.OK() {
		return r.Finding
	}
	return Finding{Code: RehearsalLate, Args: map[string]string{"ca": r.Issuer.Name}}
}

// rehearse puts the steps of a dry run into the pauses between all others. real is what would be done without it, and
// whatever is real goes first: an order that becomes due ends the dry run, so that it never waits for one.
func (f Facts) rehearse(real Step, now time.Time) Step {
	r := f.Rehearsal
	switch {
	case r == nil:
		return real
	case !r.Ended.IsZero():
		if real.Act == ActWait || real.Act == ActRelease {
			return Step{Act: ActTidyRehearsal, Why: "The dry run is over; what it won is given back."}
		}
		return real
	}
	if over := r.over(f, real, now); !over.OK() {
		return Step{Act: ActEndRehearsal, Finding: over.With("name", f.Domain.Name)}
	}
	if real.Act != ActWait {
		return real
	}
	if !r.placed() {
		if !f.fresh(now) {
			return Step{Act: ActLook, Why: "A dry run begins with a look at the record."}
		}
	}
	if r.Order == nil {
		return Step{Act: ActPlanRehearsal, Why: "The record is right, so the dry run can begin."}
	}
	return Step{Act: ActRehearse, At: earliest(r.Ends(), real.At)}
}

// over is why a dry run ends before it comes to its own end; zero while it may go on.
func (r Rehearsal) over(f Facts, real Step, now time.Time) Finding {
	switch {
	case f.Releasing || real.Act == ActRelease:
		return Finding{Code: RehearsalOvertaken, Args: map[string]string{"case": "released"}}
	case real.Act == ActPlan || real.Act == ActAdvance:
		return Finding{Code: RehearsalOvertaken}
	case r.Issuer.ID == "":
		return Finding{Code: RehearsalNowhere, Args: map[string]string{"ca": f.Issuer.Name}}
	case !now.Before(r.Ends()):
		return r.Late()
	case r.placed() || !f.fresh(now):
		return Finding{}
	}
	return f.amiss()
}

// Pinned reports whether the customer's CAA records let the account of real orders in and keep out that of dry runs (RFC
// 8657, section 3).
func (f Facts) Pinned() bool {
	c, other := f.Domain.Check, f.Issuer
	if c == nil || f.Rehearsal == nil || !judgeCAA(f.Issuer, f.Names(), *c).OK() {
		return false
	}
	other.Account = f.Rehearsal.Issuer.Account
	return judgeCAA(other, f.Names(), *c).Args["case"] == caseAccount
}

// OfPinned is the finding of a dry run for which f was found, where Facts.Pinned: a refusal for CAA's sake says nothing about
// real orders then.
func (f Finding) OfPinned() Finding {
	if f.Code == CAAForbids {
		f.Code = RehearsalAccount
	}
	return f
}

// amiss is what the last look found in the way of an order; zero for nothing.
func (f Facts) amiss() Finding {
	judged := Judge(f.Domain.Delegation, f.Issuer, f.Names(), *f.Domain.Check)
	if !judged.OK() && judged.Code == f.Domain.Finding.Code { // the same, with all that its sentences need
		return f.Domain.Finding
	}
	return judged
}

// NoStaging says why there are no dry runs of orders at an issuer that has no staging directory here.
func (i Issuer) NoStaging() string {
	if staging := ProfileOf(i.Directory).Staging; staging != "" && ProfileOf(staging).EAB.Required {
		return i.Name + " takes dry runs only from accounts with an external account binding for its staging directory, and this portal has none. Real orders are not affected."
	}
	return i.Name + " has no staging directory here, so there is nowhere to rehearse."
}

// Staging is the directory of an issuer for dry runs, as it is published; empty when none is known, or when it wants an
// external account binding of its own, which nobody gave us.
func (i Issuer) Staging() string {
	staging := ProfileOf(i.Directory).Staging
	if staging == "" || ProfileOf(staging).EAB.Required {
		return ""
	}
	return staging
}
