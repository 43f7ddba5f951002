package tenants

import (
	"testing"
	"time"
)

func TestOrderMoves(t *testing.T) {
	states := []OrderState{Planned, Ordered, Proving, Ready, Finalized, Issued, Failed}
	legal := map[[2]OrderState]bool{
		{Planned, Ordered}: true, {Planned, Failed}: true,
		{Ordered, Proving}: true, {Ordered, Ready}: true, {Ordered, Failed}: true, // ready at once: the CA reused an authorization
		{Proving, Ready}: true, {Proving, Failed}: true,
		{Ready, Finalized}: true, {Ready, Issued}: true, {Ready, Failed}: true, // issued: the certificate came before more was saved
		{Finalized, Issued}: true, {Finalized, Failed}: true,
	}
	for _, from := range states {
		for _, to := range states {
			if got := from.May(to); got != legal[[2]OrderState{from, to}] {
				t.Errorf("%s may become %s: %v", from, to, got)
			}
		}
		if open := from != Issued && from != Failed; from.Open() != open {
			t.Errorf("%s is open: %v", from, !open)
		}
	}
	if OrderState("").May(Planned) || Planned.May("") || OrderState("nonsense").May(Failed) {
		t.Error("an unknown state may move")
	}
}

// Every state can reach Issued or is final, and Failed can always be reached: no order is stuck by design.
func TestOpenOrdersCanEnd(t *testing.T) {
	for s := range orderMoves {
		if !s.May(Failed) {
			t.Errorf("%s cannot fail", s)
		}
		if !reaches(s, Issued) {
			t.Errorf("%s cannot be issued", s)
		}
	}
}

func reaches(from, to OrderState) bool {
	if from == to {
		return true
	}
	for _, next := range orderMoves[from] {
		if reaches(next, to) {
			return true
		}
	}
	return false
}

func TestDirty(t *testing.T) {
	for _, c := range []struct {
		challenge Challenge
		dirty     bool
	}{
		{Challenge{}, false},
		{Challenge{Presented: epoch}, true},
		{Challenge{Presented: epoch, Valid: epoch}, true},
		{Challenge{Presented: epoch, Cleaned: epoch.Add(time.Second)}, false},
	} {
		if c.challenge.Dirty() != c.dirty {
			t.Errorf("%+v dirty: %v", c.challenge, !c.dirty)
		}
	}
}
