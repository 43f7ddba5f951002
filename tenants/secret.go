package tenants

import (
	"fmt"
	"io"
	"log/slog"
)

// Secret holds bytes that must never be printed: private keys, provider credentials, client secrets. Every way of
// formatting or encoding it writes [sealed]; Reveal is the only way out.
//
// The bytes hang on two pointers because fmt cannot call the methods of a Secret that sits in somebody's unexported
// field. It would print the bytes, and those behind one pointer too when the verb does not fit; of two it prints an address.
type Secret struct{ bytes **[]byte }

// NewSecret takes the bytes over; the caller must not use them any more.
func NewSecret(b []byte) Secret { p := &b; return Secret{&p} }

// Reveal returns the bytes, nil for the zero Secret.
func (s Secret) Reveal() []byte {
	if s.bytes == nil {
		return nil
	}
	return **s.bytes
}

// Empty reports whether there is nothing inside.
func (s Secret) Empty() bool { return len(s.Reveal()) == 0 }

const sealed = "[sealed]"

// Format makes every verb, %x and %d included, write [sealed].
func (Secret) Format(w fmt.State, _ rune) { _, _ = io.WriteString(w, sealed) }

func (Secret) String() string               { return sealed }
func (Secret) GoString() string             { return sealed }
func (Secret) LogValue() slog.Value         { return slog.StringValue(sealed) }
func (Secret) MarshalText() ([]byte, error) { return []byte(sealed), nil }
func (Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + sealed + `"`), nil }
