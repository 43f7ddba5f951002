package tenants

import (
	"strings"
	"testing"
	"unicode/utf8"
)

var development = NameRules{AllowSpecialUse: true}

func TestParseName(t *testing.T) {
	for _, c := range []struct{ typed, name, unicode, registered string }{
		{"shop.acme.com", "shop.acme.com", "shop.acme.com", "acme.com"},
		{"https://Shop.Acme.com/", "shop.acme.com", "shop.acme.com", "acme.com"},
		{"  HTTPS://user:pass@shop.acme.com:8443/a/b?c=d#e  ", "shop.acme.com", "shop.acme.com", "acme.com"},
		{"shop.acme.com/?next=https://evil.com/", "shop.acme.com", "shop.acme.com", "acme.com"},
		{"//shop.acme.com/x", "shop.acme.com", "shop.acme.com", "acme.com"},
		{"shop.acme.com:443", "shop.acme.com", "shop.acme.com", "acme.com"},
		{"shop.acme.com.", "shop.acme.com", "shop.acme.com", "acme.com"},
		{"shop.acme.com.:443/", "shop.acme.com", "shop.acme.com", "acme.com"},
		{"ops@shop.acme.com", "shop.acme.com", "shop.acme.com", "acme.com"},
		{`shop.acme.com\path`, "shop.acme.com", "shop.acme.com", "acme.com"},
		{"\"shop.acme.com\",", "shop.acme.com", "shop.acme.com", "acme.com"},
		{"<https://shop.acme.com>", "shop.acme.com", "shop.acme.com", "acme.com"},
		{"\u00a0shop.acme.com\u3000\n", "shop.acme.com", "shop.acme.com", "acme.com"},
		{"shop。acme．com｡", "shop.acme.com", "shop.acme.com", "acme.com"},
		{"ｓｈｏｐ.acme.com", "shop.acme.com", "shop.acme.com", "acme.com"},
		{"acme.com", "acme.com", "acme.com", "acme.com"},
		{"*.acme.com", "*.acme.com", "*.acme.com", "acme.com"},
		{"https://*.EU.acme.com/", "*.eu.acme.com", "*.eu.acme.com", "acme.com"},
		{"a.b.c.acme.co.uk", "a.b.c.acme.co.uk", "a.b.c.acme.co.uk", "acme.co.uk"},
		{"acme.github.io", "acme.github.io", "acme.github.io", "acme.github.io"},
		{"Bücher.de", "xn--bcher-kva.de", "bücher.de", "xn--bcher-kva.de"},
		{"XN--BCHER-KVA.de", "xn--bcher-kva.de", "bücher.de", "xn--bcher-kva.de"},
		{"bu\u0308cher.de", "xn--bcher-kva.de", "bücher.de", "xn--bcher-kva.de"},
		{"straße.de", "xn--strae-oqa.de", "straße.de", "xn--strae-oqa.de"},
		{"*.例え.jp", "*.xn--r8jz45g.jp", "*.例え.jp", "xn--r8jz45g.jp"},
		{"пример.рф", "xn--e1afmkfd.xn--p1ai", "пример.рф", "xn--e1afmkfd.xn--p1ai"},
		{"col·lecció.cat", "xn--collecci-ioa91d.cat", "col·lecció.cat", "xn--collecci-ioa91d.cat"},
		{"0-a.1.acme.com", "0-a.1.acme.com", "0-a.1.acme.com", "acme.com"},
		{strings.Repeat("a", 63) + ".acme.com", strings.Repeat("a", 63) + ".acme.com", strings.Repeat("a", 63) + ".acme.com", "acme.com"},
		{"Shop.Acme.example", "shop.acme.example", "shop.acme.example", "acme.example"},
		{"nas.lab.home.arpa", "nas.lab.home.arpa", "nas.lab.home.arpa", "lab.home.arpa"},
		{"a.b.localhost", "a.b.localhost", "a.b.localhost", "b.localhost"},
	} {
		n, err := ParseName(c.typed, development)
		if err != nil {
			t.Errorf("ParseName(%q): %v", c.typed, err)
			continue
		}
		if n.String() != c.name || n.Unicode() != c.unicode || n.Registered() != c.registered {
			t.Errorf("ParseName(%q) = %s, %s, registered %s", c.typed, n, n.Unicode(), n.Registered())
		}
		base := strings.TrimPrefix(c.name, "*.")
		if n.Base() != base || n.Wildcard() != strings.HasPrefix(c.name, "*.") || n.Challenge() != "_acme-challenge."+base {
			t.Errorf("ParseName(%q): base %s, wildcard %v, challenge %s", c.typed, n.Base(), n.Wildcard(), n.Challenge())
		}
	}
}

// longName makes names of exactly n characters from parts of at most 50.
func longName(n int) string {
	rest := n - len("acme.com")
	return strings.Repeat(strings.Repeat("a", 49)+".", rest/50) + strings.Repeat("b", rest%50-1) + ".acme.com"
}

func TestParseNameSaysWhatIsWrong(t *testing.T) {
	for _, c := range []struct{ typed, says string }{
		{"", "no name here"},
		{" \t ", "no name here"},
		{"https:///", "no name here"},
		{"...", "no name here"},
		{"192.0.2.1", "192.0.2.1 is an IP address"},
		{"https://192.0.2.1:8443/x", "192.0.2.1 is an IP address"},
		{"[2001:db8::1]:443", "is an IP address"},
		{"2001:db8::1", "is an IP address"},
		{"１９２.0.2.1", "is a number"},
		{"*", "Only the first part can be a star"},
		{"*.*.acme.com", "Only the first part can be a star"},
		{"www.*.acme.com", "Only the first part can be a star"},
		{"w*.acme.com", "Only the first part can be a star"},
		{"gift card.acme.com", "as in gift-card.acme.com."},
		{"a.acme.com b.acme.com", "Type one name at a time"},
		{"a.acme.com\nb.acme.com", "Type one name at a time"},
		{"_acme-challenge.shop.acme.com", "Type shop.acme.com instead."},
		{"_sip._tcp.acme.com", "Type acme.com instead."},
		{"my_shop.acme.com", "as in my-shop.acme.com."},
		{"shop!.acme.com", "do not issue for !."},
		{"shop:http.acme.com", "do not issue for :."},
		{"☃.acme.com", "do not issue for ☃."},
		{"🎉.acme.com", "do not issue for 🎉."},
		{"👩‍💻.acme.com", "do not issue for 👩."},
		{"acme™.com", "do not issue for ™."},
		{"xn--n3h.acme.com", "do not issue for ☃."},
		{"shop\u202egnp.acme.com", "do not issue for �"},
		{"shop\x00.acme.com", "do not issue for �"},
		{"\xff\xfe.acme.com", "do not issue for �"},
		{"shop..acme.com", "nothing beside one of the dots"},
		{".acme.com", "nothing beside one of the dots"},
		{"*..acme.com", "nothing beside one of the dots"},
		{"-shop.acme.com", "-shop begins or ends with a hyphen"},
		{"shop-.acme.com", "shop- begins or ends with a hyphen"},
		{"ab--cd.acme.com", "ab--cd has two hyphens in the third and fourth place"},
		{"xn--zzzzzz99999.acme.com", "begins with xn-- and stands for no name"},
		{"xn--.acme.com", "nothing beside one of the dots"},
		{"\u00ad.acme.com", "nothing beside one of the dots"},
		{"acme.com.\u00ad", "nothing beside one of the dots"},
		{"\u00ad", "no name here"},
		{"xn--acme-.com", "begins with xn-- and stands for no name"},
		{"xn--a.acme.com", "begins with xn-- and stands for no name"},
		{"اa.acme.com", "letters together in a way"},
		{strings.Repeat("a", 68) + ".acme.com", "Part 1, " + strings.Repeat("a", 39) + "…, has 68 characters in DNS, which allows 63. Leave out 5."},
		{"shop." + strings.Repeat("b", 300) + ".com", "Part 2, " + strings.Repeat("b", 39) + "…, has 300 characters"},
		{strings.Repeat("ü", 60) + ".acme.com", "Part 1, xn--"},
		{longName(254), "The name has 254 characters in DNS, which allows 253. Leave out 1."},
		{longName(238), "The name has 238 characters in DNS and leaves no room for _acme-challenge in front. Leave out 1."},
		{strings.Repeat("a.", 5<<20) + "com", "much longer than the 253"},
		{"shop.acme.123", "123, is a number"},
		{"1.2.3", "is a number"},
		{"acme", "acme is only one part"},
		{"https://localhost:8080/", "localhost is only one part"},
		{"com", "com is only one part"},
		{"co.uk", "co.uk is a public suffix"},
		{"*.co.uk", "co.uk is a public suffix"},
		{"github.io", "as in shop.github.io."},
		{"*.com", "com is only one part"},
		{"home.arpa", "home.arpa is a public suffix"},
	} {
		n, err := ParseName(c.typed, development)
		if err == nil {
			t.Errorf("ParseName(%.60q) = %s, want an error that says %q", c.typed, n, c.says)
			continue
		}
		checkSentence(t, c.typed, err, c.says)
		if n != (Name{}) {
			t.Errorf("ParseName(%.60q) fails and gives %v", c.typed, n)
		}
	}
}

func checkSentence(t *testing.T, typed string, err error, says string) {
	t.Helper()
	e, ok := err.(*Error)
	if !ok || e.Kind != Invalid || !strings.Contains(e.Text, says) {
		t.Errorf("ParseName(%.60q): %v, want Invalid and %q", typed, err, says)
		return
	}
	if !strings.HasSuffix(e.Text, ".") || strings.Count(e.Text, ". ") < 1 || utf8.RuneCountInString(e.Text) > 260 || !utf8.ValidString(e.Text) {
		t.Errorf("ParseName(%.60q): %q is not two sentences that fit under a field", typed, e.Text)
	}
}

func TestSpecialUseNamesAreForDevelopment(t *testing.T) {
	for _, typed := range []string{"shop.acme.example", "a.test", "*.b.invalid", "x.localhost", "printer.local",
		"abc.onion", "db.corp.internal", "nas.home.arpa", "https://Shop.Acme.Example/"} {
		_, err := ParseName(typed, NameRules{})
		if err == nil {
			t.Errorf("ParseName(%q) is taken in production", typed)
			continue
		}
		checkSentence(t, typed, err, "are reserved")
		if _, err := ParseName(typed, development); err != nil {
			t.Errorf("ParseName(%q) in development: %v", typed, err)
		}
	}
	for _, typed := range []string{"example.com", "myexample.org", "test.de", "homearpa.net"} {
		if _, err := ParseName(typed, NameRules{}); err != nil {
			t.Errorf("ParseName(%q): %v", typed, err)
		}
	}
}

func TestTheLongestNameLeavesRoomForTheChallenge(t *testing.T) {
	n, err := ParseName("*."+longName(237), development)
	if err != nil || len(n.Challenge()) != 253 || len(n.String()) != 239 {
		t.Errorf("%v: %d characters, challenge %d", err, len(n.String()), len(n.Challenge()))
	}
}

func FuzzParseName(f *testing.F) {
	for _, s := range []string{"https://Shop.Acme.example/", "*.bücher.de", "xn--bcher-kva.de", "شبكة.com", "a\u200db.com", "İstanbul.com",
		"ⅷ.com", "①.com", "faß.de", "a.b。c", "[::1]", "user@host.com:1", "//a.com//", "☃.net", "\xff", "*.*.com", "א1.com", "१.com", "a\u0345.com"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, typed string) {
		n, err := ParseName(typed, development)
		if err != nil {
			if KindOf(err) != Invalid || err.(*Error).Text == "" || !utf8.ValidString(err.(*Error).Text) {
				t.Fatalf("%q: %v", typed, err)
			}
			return
		}
		if len(n.String()) > maxName || len(n.Challenge()) > maxName || strings.Trim(n.Base(), "abcdefghijklmnopqrstuvwxyz0123456789-.") != "" {
			t.Fatalf("%q gives %q", typed, n)
		}
		if n.Base() != n.Registered() && !strings.HasSuffix(n.Base(), "."+n.Registered()) {
			t.Fatalf("%q: %q is not below %q", typed, n, n.Registered())
		}
		for _, again := range []string{n.String(), n.Unicode(), "https://" + strings.ToUpper(n.String()) + "./x"} {
			if m, err := ParseName(again, development); err != nil || m != n {
				t.Fatalf("%q gives %q, and %q gives %q (%v)", typed, n, again, m, err)
			}
		}
	})
}
