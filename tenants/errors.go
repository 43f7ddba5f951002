package tenants

import (
	"errors"
	"fmt"
)

// Kind sorts every error a caller can meet into eight drawers. One table at the edge maps them to HTTP status.
type Kind string

const (
	Invalid         Kind = "invalid"         // the input is wrong; Fields says where
	Unauthenticated Kind = "unauthenticated" // nobody is signed in
	Denied          Kind = "denied"          // signed in, but the role does not allow it
	NotFound        Kind = "not found"       // does not exist, or belongs to another tenant: the same answer
	Conflict        Kind = "conflict"        // true a moment ago, not any more
	Limited         Kind = "limited"         // too much at once
	Unavailable     Kind = "unavailable"     // something we depend on does not answer
	Internal        Kind = "internal"        // our fault; its text never leaves the process
)

// Error is an error with a sentence that a person may read and a next action inside it.
type Error struct {
	Kind   Kind
	Text   string            // one or two sentences, shown as they are
	Fields map[string]string // form field name → sentence, for Invalid
	Err    error             // the cause, for the log only
}

func (e *Error) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("%s: %s: %v", e.Kind, e.Text, e.Err)
	}
	return fmt.Sprintf("%s: %s", e.Kind, e.Text)
}

func (e *Error) Unwrap() error { return e.Err }

// Errorf makes an error of a kind whose text is shown to people.
func Errorf(kind Kind, format string, args ...any) *Error {
	return &Error{Kind: kind, Text: fmt.Sprintf(format, args...)}
}

// KindOf is the kind of err: Internal for anything that is not an *Error, empty for nil.
func KindOf(err error) Kind {
	if err == nil {
		return ""
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	return Internal
}
