package tenants

import (
	"strings"
	"time"
)

// Identifiers are strings of the form prefix_26 characters: a ULID in lower-case Crockford base 32, so that ids
// made later sort later, whichever process made them. The types keep one noun's id from being used for another.
type (
	TenantID      string
	MemberID      string
	GroupID       string
	DomainID      string
	DelegationID  string
	CertificateID string
	VersionID     string
	OrderID       string
	ChallengeID   string
	IssuerID      string
	AccountID     string
	EntryID       string
	SessionID     string
	EventID       string
)

// ID is any identifier of this package.
type ID interface {
	TenantID | MemberID | GroupID | DomainID | DelegationID | CertificateID | VersionID | OrderID | ChallengeID | IssuerID | AccountID | EntryID | SessionID | EventID
}

const crockford = "0123456789abcdefghjkmnpqrstvwxyz"

// MakeID makes the identifier of a noun born at now. The ten bytes are the caller's randomness (80 bits).
func MakeID[T ID](now time.Time, random [10]byte) T {
	var raw [16]byte
	ms := uint64(now.UnixMilli())
	for i := range 6 {
		raw[i] = byte(ms >> (8 * (5 - i)))
	}
	copy(raw[6:], random[:])
	return T(prefixOf[T]() + "_" + base32(raw))
}

// base32 writes 128 bits as 26 characters, most significant first, so that text order is numeric order.
func base32(raw [16]byte) string {
	var out [26]byte
	var acc, bits uint
	bits = 2 // 26 × 5 = 130: the first character carries three bits
	i := 0
	for _, b := range raw {
		acc = acc<<8 | uint(b)
		bits += 8
		for bits >= 5 {
			bits -= 5
			out[i] = crockford[acc>>bits&31]
			i++
		}
		acc &= 1<<bits - 1
	}
	return string(out[:])
}

func prefixOf[T ID]() string {
	var zero T
	switch any(zero).(type) {
	case TenantID:
		return "ten"
	case MemberID:
		return "mem"
	case GroupID:
		return "grp"
	case DomainID:
		return "dom"
	case DelegationID:
		return "del"
	case CertificateID:
		return "crt"
	case VersionID:
		return "ver"
	case OrderID:
		return "ord"
	case ChallengeID:
		return "chl"
	case IssuerID:
		return "iss"
	case AccountID:
		return "acc"
	case EntryID:
		return "ent"
	case EventID:
		return "evt"
	default:
		return "ses"
	}
}

// ParseID reads an identifier that came from outside, such as a path. ok is false for anything that MakeID
// cannot have made, so that a malformed id is simply not found.
func ParseID[T ID](s string) (id T, ok bool) {
	rest, found := strings.CutPrefix(s, prefixOf[T]()+"_")
	if !found || len(rest) != 26 || rest[0] > '7' || strings.Trim(rest, crockford) != "" {
		return "", false
	}
	return T(s), true
}
