package tenants

import (
	"errors"
	"fmt"
	"io"
	"testing"
)

func TestKindOf(t *testing.T) {
	denied := Errorf(Denied, "The role %s may not do this. Ask an admin.", Viewer)
	for _, c := range []struct {
		err  error
		want Kind
	}{
		{nil, ""}, {io.EOF, Internal}, {denied, Denied}, {fmt.Errorf("open page: %w", denied), Denied},
		{errors.Join(io.EOF, denied), Denied}, {&Error{Kind: Limited, Err: io.EOF}, Limited},
	} {
		if got := KindOf(c.err); got != c.want {
			t.Errorf("KindOf(%v) = %q, want %q", c.err, got, c.want)
		}
	}
}

func TestErrorKeepsItsCause(t *testing.T) {
	err := error(&Error{Kind: Unavailable, Text: "The authority does not answer.", Err: io.ErrUnexpectedEOF})
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Error("the cause is lost")
	}
	if got, want := err.Error(), "unavailable: The authority does not answer.: unexpected EOF"; got != want {
		t.Errorf("Error() = %q, want %q", got, want)
	}
}
