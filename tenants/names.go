package tenants

import (
	"fmt"
	"net/netip"
	"strings"
	"unicode"

	"golang.org/x/net/idna"
	"golang.org/x/net/publicsuffix"
)

// NameRules says which names an installation takes.
type NameRules struct {
	AllowSpecialUse bool // take .example, .test, .localhost …, which no public authority knows (RFC 6761); for development
}

// Name is a DNS name that a certificate can be ordered for, in canonical form. Only [ParseName] makes one. Names
// are comparable: two are equal when a certificate for one serves the other.
type Name struct {
	base, unicode, registered string
	wildcard                  bool
}

// String is the name in lower-case A-labels (RFC 5890, section 2.3.2.1) without a trailing dot; a wildcard keeps its "*.".
func (n Name) String() string { return n.star() + n.base }

// Unicode is the name as its owner writes it, for pages: U-labels, "*." kept.
func (n Name) Unicode() string { return n.star() + n.unicode }

// Base is the name without "*.": a wildcard is proved at the name below its star (RFC 8555, section 7.1.3).
func (n Name) Base() string { return n.base }

// Wildcard reports whether the name begins with "*.".
func (n Name) Wildcard() bool { return n.wildcard }

// Registered is the registered domain, public suffix and one label, by which authorities count certificates.
func (n Name) Registered() string { return n.registered }

// Challenge is where the authority looks for the DNS-01 answer (RFC 8555, section 8.4).
func (n Name) Challenge() string { return challengeLabel + n.base }

func (n Name) star() string {
	if n.wildcard {
		return "*."
	}
	return ""
}

// Lengths of a name in text form, without the trailing dot (RFC 1035, section 2.3.4).
const (
	maxName        = 253
	maxLabel       = 63
	maxTyped       = 4096 // bytes; beyond this nothing can be a name, so nothing is computed from it
	challengeLabel = "_acme-challenge."
)

// ParseName reads a name as people type and paste it: with scheme, user, port or path around it, in upper case, with
// trailing or ideographic dots, in any script. International names are mapped and checked as for a lookup (RFC 5891,
// section 5; UTS 46), then held to the letters that IDNA2008 allows (RFC 5892), as authorities do.
//
// Every error is an *Error of kind Invalid whose text says what is wrong and what to type instead. Parsing the
// String or Unicode form of a Name gives the same Name.
func ParseName(typed string, rules NameRules) (Name, error) {
	host, wildcard := strings.CutPrefix(hostOf(typed), "*.")
	wrong := firstWrong(host, isEmpty, isEndless, isAddress, hasStar, hasSpace, hasUnderscore, hasSymbol, hasOddDots, hasOddHyphens)
	if wrong != "" {
		return Name{}, Errorf(Invalid, "%s", wrong)
	}
	base, err := idna.Lookup.ToASCII(host)
	if err != nil {
		return Name{}, &Error{Kind: Invalid, Text: unreadable(host), Err: err}
	}
	wrong = firstWrong(base, isEmpty, hasOddDots, isTooLong, isNotCanonical, hasForeignLetter, // the mapping may drop marks
		hasNumericTop, rules.isSpecialUse, isSingleLabel, isPublicSuffix)
	if wrong != "" {
		return Name{}, Errorf(Invalid, "%s", wrong)
	}
	u, _ := idna.Lookup.ToUnicode(base)                     // isNotCanonical saw it succeed
	registered, _ := publicsuffix.EffectiveTLDPlusOne(base) // isPublicSuffix saw that there is one
	return Name{base: base, unicode: u, registered: registered, wildcard: wildcard}, nil
}

// hostOf takes away what surrounds a host name in a URL, an e-mail address, a zone file or a sentence.
func hostOf(typed string) string {
	s := strings.Trim(strings.TrimSpace(typed), "\"'`<>(),;")
	if scheme, rest, ok := strings.Cut(s, "://"); ok && !strings.ContainsAny(scheme, "/?#.@") {
		s = rest
	}
	s = strings.TrimPrefix(s, "//")
	if i := strings.IndexAny(s, `/?#\`); i >= 0 {
		s = s[:i]
	}
	s = s[strings.LastIndexByte(s, '@')+1:]
	if host, port, ok := strings.Cut(s, ":"); ok && strings.Trim(port, "0123456789") == "" {
		s = host
	}
	s = strings.NewReplacer("\u3002", ".", "\uff0e", ".", "\uff61", ".").Replace(s) // RFC 3490, section 3.1
	return strings.TrimRight(strings.TrimSpace(s), ".")
}

// firstWrong asks each check in order; a check returns the sentences for the person who typed, or nothing.
func firstWrong(name string, checks ...func(string) string) string {
	for _, check := range checks {
		if wrong := check(name); wrong != "" {
			return wrong
		}
	}
	return ""
}

func isEmpty(host string) string {
	if host != "" {
		return ""
	}
	return "There is no name here. Type one, as in shop.example.com."
}

func isEndless(host string) string {
	if len(host) <= maxTyped {
		return ""
	}
	return fmt.Sprintf("This is much longer than the %d characters of the longest name. Type one name only.", maxName)
}

func isAddress(host string) string {
	_, plain := netip.ParseAddr(strings.Trim(host, "[]"))
	if _, withPort := netip.ParseAddrPort(host); plain != nil && withPort != nil {
		return ""
	}
	return fmt.Sprintf("%s is an IP address. Type the name that visitors use, as in shop.example.com.", show(host))
}

func hasStar(host string) string {
	if !strings.Contains(host, "*") {
		return ""
	}
	return "Only the first part can be a star, and only the whole of it. Type the name as in *.example.com."
}

func hasSpace(host string) string {
	words := strings.Fields(host)
	switch {
	case len(words) < 2:
		return ""
	case strings.Contains(words[0], "."):
		return fmt.Sprintf("There is a space after %s. Type one name at a time.", show(words[0]))
	}
	return fmt.Sprintf("A name has no spaces. Type a hyphen instead, as in %s.", show(strings.Join(words, "-")))
}

func hasUnderscore(host string) string {
	if !strings.Contains(host, "_") {
		return ""
	}
	var plain []string
	for label := range strings.SplitSeq(host, ".") {
		if !strings.Contains(label, "_") {
			plain = append(plain, label)
		}
	}
	if strings.HasPrefix(host, "_") && len(plain) > 1 {
		return fmt.Sprintf("Names that begin with an underscore are records, not sites. Type %s instead.", show(strings.Join(plain, ".")))
	}
	return fmt.Sprintf("Authorities do not issue for names with an underscore. Type a hyphen instead, as in %s.", show(strings.ReplaceAll(host, "_", "-")))
}

// hasSymbol refuses before the mapping of UTS 46, which would quietly turn ™ into tm.
func hasSymbol(host string) string { return refuseLetters(host, typable) }

// hasForeignLetter refuses what only an A-label could bring in: xn--n3h is a snowman.
func hasForeignLetter(base string) string {
	u, _ := idna.Lookup.ToUnicode(base)
	return refuseLetters(u, valid)
}

func refuseLetters(s string, ok func(rune) bool) string {
	for _, r := range s {
		if !ok(r) {
			return fmt.Sprintf("Authorities do not issue for %s. Type letters of any language, digits and hyphens only.", show(string(r)))
		}
	}
	return ""
}

// typable reports whether the mapping may see r: letters, marks and numbers of any form, and the invisible marks that it drops.
func typable(r rune) bool {
	return valid(r) || unicode.In(r, unicode.L, unicode.M, unicode.N) || strings.ContainsRune("\u00ad\u200b\u2060\ufeff", r)
}

// valid reports whether IDNA2008 allows a code point that has survived the mapping: RFC 5892, sections 2.1 (letters,
// digits, marks), 2.6 (exceptions) and A.1, A.2 (joiners, whose context the lookup profile has checked).
func valid(r rune) bool {
	switch r {
	case '-', '.', '\u00b7', '\u0375', '\u05f3', '\u05f4', '\u06fd', '\u06fe', '\u0f0b', '\u3007', '\u30fb', '\u200c', '\u200d':
		return true
	case '\u0640', '\u07fa', '\u302e', '\u302f', '\u3031', '\u3032', '\u3033', '\u3034', '\u3035', '\u303b':
		return false
	}
	return unicode.In(r, unicode.Ll, unicode.Lo, unicode.Lm, unicode.Mn, unicode.Mc, unicode.Nd)
}

func hasOddDots(host string) string {
	if !strings.HasPrefix(host, ".") && !strings.HasSuffix(host, ".") && !strings.Contains(host, "..") {
		return ""
	}
	return "There is nothing beside one of the dots. Type one dot between two parts, as in shop.example.com."
}

// hasOddHyphens keeps RFC 5890's rule for the third and fourth place, which only "xn--" may fill with hyphens.
func hasOddHyphens(host string) string {
	for label := range strings.SplitSeq(host, ".") {
		ace := len(label) > 3 && strings.EqualFold(label[:4], "xn--")
		switch {
		case ace: // unreadable has better words for it
		case strings.HasPrefix(label, "-"), strings.HasSuffix(label, "-"):
			return fmt.Sprintf("The part %s begins or ends with a hyphen. Leave that hyphen out.", show(label))
		case len(label) > 3 && label[2:4] == "--":
			return fmt.Sprintf("The part %s has two hyphens in the third and fourth place, which is kept for international names. Leave one out.", show(label))
		}
	}
	return ""
}

func unreadable(host string) string {
	if strings.Contains(strings.ToLower(host), "xn--") {
		return fmt.Sprintf("%s has a part that begins with xn-- and stands for no name. Type the name in its own letters.", show(host))
	}
	return fmt.Sprintf("%s puts letters together in a way that DNS does not allow. Type it again with the letters of one language.", show(host))
}

func isTooLong(base string) string {
	for i, label := range strings.Split(base, ".") {
		if n := len(label); n > maxLabel {
			return fmt.Sprintf("Part %d, %s, has %d characters in DNS, which allows %d. Leave out %d.", i+1, show(label), n, maxLabel, n-maxLabel)
		}
	}
	n, room := len(base), maxName-len(challengeLabel)
	switch {
	case n > maxName:
		return fmt.Sprintf("The name has %d characters in DNS, which allows %d. Leave out %d.", n, maxName, n-maxName)
	case n > room:
		return fmt.Sprintf("The name has %d characters in DNS and leaves no room for %s in front. Leave out %d.", n, strings.TrimSuffix(challengeLabel, "."), n-room)
	}
	return ""
}

// isNotCanonical refuses A-labels that no U-label maps to: two spellings of one name would be two claims.
func isNotCanonical(base string) string {
	u, err := idna.Lookup.ToUnicode(base)
	if err == nil {
		var back string
		if back, err = idna.Lookup.ToASCII(u); err == nil && back == base {
			return ""
		}
	}
	return unreadable(base)
}

func hasNumericTop(base string) string {
	top := base[strings.LastIndexByte(base, '.')+1:]
	if strings.Trim(top, "0123456789") != "" {
		return ""
	}
	return fmt.Sprintf("The last part, %s, is a number, and no top-level domain is. Type the whole name, as in shop.example.com.", show(top))
}

func isSingleLabel(base string) string {
	if strings.Contains(base, ".") {
		return ""
	}
	return fmt.Sprintf("%s is only one part of a name. Type the whole name, as in shop.example.com.", show(base))
}

// isSpecialUse refuses names that are reserved and never resolve publicly: RFC 6761, RFC 6762 (.local), RFC 7686
// (.onion), RFC 8375 (home.arpa), and .internal (ICANN, 2024).
func (r NameRules) isSpecialUse(base string) string {
	if r.AllowSpecialUse {
		return ""
	}
	for _, top := range []string{"example", "test", "invalid", "localhost", "local", "onion", "internal", "home.arpa"} {
		if base == top || strings.HasSuffix(base, "."+top) {
			return fmt.Sprintf("Names under .%s are reserved, so authorities do not issue for them. Type a name that you registered.", top)
		}
	}
	return ""
}

func isPublicSuffix(base string) string {
	if suffix, _ := publicsuffix.PublicSuffix(base); suffix != base {
		return ""
	}
	return fmt.Sprintf("%s is a public suffix: anybody can register names below it. Put your own name in front, as in shop.%s.", show(base), base)
}

// show makes typed text safe and short enough to stand inside a sentence: no control or direction marks, 40 characters.
func show(s string) string {
	runes := []rune(strings.Map(func(r rune) rune {
		if unicode.IsGraphic(r) {
			return r
		}
		return unicode.ReplacementChar
	}, s))
	if len(runes) > 40 {
		return string(runes[:39]) + "…"
	}
	return string(runes)
}
