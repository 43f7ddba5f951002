package jobs_test

import (
	"cmp"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"sync"
	"time"

	"perennial/jobs/acme"
	"perennial/tenants"
)

// killed is what a fake panics with to stand for kill -9: nothing after it runs, not even the giving back of the lease.
type killed struct{ call string }

// mode is how a call is made to fail.
type mode string

const (
	errBefore    mode = "error, nothing happened"
	errAfter     mode = "error, yet it happened"
	slowBefore   mode = "too slow, nothing happened"
	slowAfter    mode = "too slow, yet it happened"
	cancelBefore mode = "cancelled before"
	cancelAfter  mode = "cancelled after"
	killBefore   mode = "killed before"
	killAfter    mode = "killed after"
)

// modes are all the ways in which a call can fail.
var modes = []mode{errBefore, errAfter, slowBefore, slowAfter, cancelBefore, cancelAfter, killBefore, killAfter}

// faults makes uses of calls fail.
type faults struct {
	mu      sync.Mutex
	plan    map[string]mode // how a use of a call fails, by the name that use gives it
	count   map[string]int
	trace   func(use string) // nil: nobody wants to know the uses in their order
	tooLong time.Duration    // how long a call takes that is too slow; 0: 20 seconds, when requests to a CA are given up
	cancel  func()           // ends the caller's context
}

// use names the n-th use of a call: "newOrder", and from then on "newOrder 2".
func use(call string, n int) string {
	if n == 1 {
		return call
	}
	return fmt.Sprint(call, " ", n)
}

// begun counts a use, and says how it fails.
func (f *faults) begun(call string) mode {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.count == nil {
		f.count = map[string]int{}
	}
	f.count[call]++
	if f.trace != nil {
		f.trace(use(call, f.count[call]))
	}
	return f.planned(call)
}

// ended says how the use fails that was begun last.
func (f *faults) ended(call string) mode {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.planned(call)
}

func (f *faults) planned(call string) mode {
	if len(f.plan) == 0 {
		return ""
	}
	return f.plan[use(call, f.count[call])]
}

func (f *faults) before(call string) error {
	switch f.begun(call) {
	case killBefore:
		panic(killed{call})
	case errBefore:
		return silent(call, false)
	case slowBefore:
		return f.timeOut(call)
	case cancelBefore:
		f.cancel()
		return context.Canceled
	}
	return nil
}

func (f *faults) after(call string) error {
	switch f.ended(call) {
	case killAfter:
		panic(killed{call})
	case errAfter:
		return silent(call, true)
	case slowAfter:
		return f.timeOut(call)
	case cancelAfter:
		f.cancel()
		return context.Canceled
	}
	return nil
}

// timeOut: whoever gives up cannot know whether it happened.
func (f *faults) timeOut(call string) error {
	time.Sleep(cmp.Or(f.tooLong, 20*time.Second))
	return silent(call, true)
}

func broken(call string) error {
	return &acme.Problem{Code: tenants.CABroken, Detail: call + ": not a directory", Reached: true}
}

func silent(call string, reached bool) error {
	return &acme.Problem{Code: tenants.CASilent, Detail: call + ": no answer", Reached: reached}
}

// fakeCA is a whole ACME authority in memory. It forgets nothing when the portal dies.
type fakeCA struct {
	faults
	dns       *fakeDNS
	validity  time.Duration
	holds     time.Duration        // renewal information, as it says
	backdate  time.Duration        // how long before its signing a certificate begins
	skew      time.Duration        // how far its clock is ahead of ours
	thinks    time.Duration        // between finalize and the certificate
	late      time.Duration        // an order that its client did not hear of is found only after so long
	forgets   bool                 // a server error over every order that names what it replaces
	down      func() bool          // nil: up
	untrusted bool                 // it is down for its TLS certificate
	meta      func() error         // nil: the directory is right
	limit     func() *acme.Problem // nil: no limit; asked at each newOrder
	ari       func(leaf *x509.Certificate) (start, end time.Time)
	chain     func([]byte) []byte      // tampers with what is handed out
	stuck     bool                     // processing without end
	refuse    bool                     // every challenge is invalid
	profiles  map[string]string        // that it offers
	mute      string                   // orders for this name are not answered
	refuseKey *acme.Problem            // to a change of the account's key
	denies    *acme.Problem            // to whoever asks for an account
	forbids   *acme.Problem            // to every CSR
	url       string                   // of our account there; empty for the usual one
	opened    []string                 // the bindings of the accounts, in their order
	blocked   map[string]*acme.Problem // to a CSR for the key with that SPKI
	sim       *simCA                   // nil: none of its weather, limits and slowness

	mu       sync.Mutex
	account  *ecdsa.PublicKey   // of ours
	ended    []*ecdsa.PublicKey // account keys that others took the place of
	unaware  int                // how often it denies to know an account's new key
	onItsWay *ecdsa.PublicKey   // a change to this key was sent before and arrives just ahead of the next request for one
	key      *ecdsa.PrivateKey
	root     *x509.Certificate
	serial   int64
	orders   []*fakeOrder
	leaves   map[string]*x509.Certificate // by serial
	placed   []time.Time
	gone     []string // deactivated authorizations

	noRevoke func(reason uint) *acme.Problem // nil: revokes whatever it issued
	told     int                             // how often it was told to revoke
	revoked  map[string]fakeRevocation       // by serial
}

// fakeRevocation is what the CA publishes of a version.
type fakeRevocation struct {
	at     time.Time
	reason uint
}

type fakeOrder struct {
	id       int
	names    []string
	profile  string
	replaces string
	proved   []bool                     // by name
	answered map[int]bool               // the same
	saw      map[string]map[string]bool // TXT values by the name below the star: the CA's resolver remembers them
	status   acme.Status
	cert     []byte
	csr      []byte    // while the order is being processed …
	decided  time.Time // … until then
	visible  time.Time // in the list of orders
	expires  time.Time
}

func newFakeCA(dns *fakeDNS) *fakeCA {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Fake Root"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(20, 0, 0), KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		panic(err)
	}
	root, err := x509.ParseCertificate(der)
	if err != nil {
		panic(err)
	}
	return &fakeCA{dns: dns, validity: 90 * 24 * time.Hour, holds: 6 * time.Hour, key: key, root: root, serial: 1,
		leaves: map[string]*x509.Certificate{}}
}

func (ca *fakeCA) now() time.Time { return time.Now().Add(ca.skew) }

func (ca *fakeCA) call(name string, effect func() error) error {
	if ca.down != nil && ca.down() {
		if ca.untrusted {
			return &acme.Problem{Code: tenants.CAUntrusted, Detail: name + ": x509: certificate signed by unknown authority"}
		}
		return silent(name, false)
	}
	if err := ca.before(name); err != nil {
		return err
	}
	if err := ca.sim.before(name); err != nil {
		return err
	}
	ca.mu.Lock()
	err := effect()
	ca.mu.Unlock()
	if err != nil {
		return err
	}
	if err := ca.after(name); err != nil {
		return err
	}
	return ca.sim.after(name)
}

// signed is call for what an account has to sign. The answer to a key that is not the account's any more is that of
// Pebble and Boulder.
func (ca *fakeCA) signed(a acme.Account, name string, effect func() error) error {
	return ca.call(name, func() error {
		if slices.ContainsFunc(ca.ended, func(k *ecdsa.PublicKey) bool { return k.Equal(a.Key.Public()) }) {
			return &acme.Problem{Code: tenants.CABroken, Status: 400, Type: "urn:ietf:params:acme:error:malformed", Detail: "JWS verification error", Reached: true}
		}
		return effect()
	})
}

func (ca *fakeCA) Meta(context.Context) (acme.Meta, error) {
	return acme.Meta{CAAIdentities: []string{"ca.test"}, Profiles: ca.profiles}, ca.call("meta", func() error {
		if ca.meta != nil {
			return ca.meta()
		}
		return nil
	})
}

func (ca *fakeCA) Register(_ context.Context, key crypto.Signer) (string, error) {
	return cmp.Or(ca.url, "https://ca.test/acct/1"), ca.call("register", func() error {
		ca.account = key.Public().(*ecdsa.PublicKey)
		return nil
	})
}

func (ca *fakeCA) FindAccount(_ context.Context, key crypto.Signer) (url string, found bool, err error) {
	err = ca.call("findAccount", func() error {
		if ca.denies != nil {
			return ca.denies
		}
		url, found = cmp.Or(ca.url, "https://ca.test/acct/1"), ca.account != nil && ca.account.Equal(key.Public())
		if found && len(ca.ended) > 0 && ca.unaware > 0 {
			ca.unaware, found = ca.unaware-1, false
		}
		return nil
	})
	return url, found, err
}

func (ca *fakeCA) ChangeKey(_ context.Context, a acme.Account, next crypto.Signer) error {
	return ca.call("changeKey", func() error {
		if ca.refuseKey != nil {
			return ca.refuseKey
		}
		if ca.onItsWay != nil {
			ca.ended, ca.account, ca.onItsWay = append(ca.ended, ca.account), ca.onItsWay, nil
		}
		if !ca.account.Equal(a.Key.Public()) {
			return &acme.Problem{Code: tenants.CAAccount, Status: 401, Detail: "not your key", Reached: true}
		}
		ca.ended, ca.account = append(ca.ended, ca.account), next.Public().(*ecdsa.PublicKey)
		return nil
	})
}

func (ca *fakeCA) NewOrder(_ context.Context, a acme.Account, r acme.OrderRequest) (acme.Order, error) {
	var out acme.Order
	err := ca.signed(a, "newOrder", func() error {
		if ca.limit != nil {
			if p := ca.limit(); p != nil {
				return p
			}
		}
		if ca.mute != "" && r.Names[0] == ca.mute {
			return silent("newOrder", true)
		}
		if _, offered := ca.profiles[r.Profile]; r.Profile != "" && !offered {
			return &acme.Problem{Code: tenants.CAProfile, Status: 400, Detail: "no such profile: " + r.Profile, Reached: true}
		}
		if p := ca.sim.admit(&r); p != nil {
			return p
		}
		if ca.forgets && r.Replaces != "" {
			return &acme.Problem{Code: tenants.CASilent, Status: 500, Detail: "could not find an order for the given certificate", Reached: true}
		}
		o := &fakeOrder{id: len(ca.orders) + 1, names: r.Names, profile: r.Profile, replaces: r.Replaces, proved: make([]bool, len(r.Names)), status: acme.Pending, expires: ca.now().Add(7 * 24 * time.Hour), visible: ca.now().Add(ca.late)}
		ca.orders = append(ca.orders, o)
		ca.placed = append(ca.placed, time.Now())
		out = o.view()
		return nil
	})
	return out, err
}

func (ca *fakeCA) FindOrder(_ context.Context, a acme.Account, lost acme.LostOrder) (acme.Order, bool, error) {
	var out acme.Order
	found := false
	err := ca.signed(a, "findOrder", func() error {
		for _, o := range slices.Backward(ca.orders) {
			if o.status != acme.Valid && o.status != acme.Invalid && slices.Equal(o.names, lost.Names) && !lost.Known[o.view().URL] && !ca.now().Before(o.visible) {
				out, found = o.view(), true
				return nil
			}
		}
		return nil
	})
	return out, found, err
}

func (ca *fakeCA) Order(_ context.Context, a acme.Account, url string) (acme.Order, error) {
	var out acme.Order
	err := ca.signed(a, "order", func() error {
		out = ca.find(url).view()
		return nil
	})
	return out, err
}

func (ca *fakeCA) Authorization(_ context.Context, a acme.Account, url string) (acme.Authorization, error) {
	var out acme.Authorization
	err := ca.signed(a, "authorization", func() error {
		o, n := ca.find(url), nth(url)
		status := acme.Valid
		if !o.proved[n] && (o.status == acme.Pending || o.status == acme.Invalid) {
			status = o.status
		}
		base, wildcard := strings.CutPrefix(o.names[n], "*.")
		out = acme.Authorization{URL: url, Status: status, Name: base, Wildcard: wildcard,
			Challenge: acme.DNS01{URL: url + "/dns", Status: acme.Pending, Value: ca.value(o, n)}}
		return nil
	})
	return out, err
}

func (ca *fakeCA) Answer(_ context.Context, a acme.Account, url string) error {
	return ca.signed(a, "answer", func() error {
		o, n := ca.find(url), nth(url)
		late := o.status == acme.Invalid && !o.answered[n] // of an order that failed over another name
		if o.status != acme.Pending && !late || o.proved[n] {
			return &acme.Problem{Code: tenants.CABroken, Status: 400, Detail: "not pending", Reached: true}
		}
		if o.answered == nil {
			o.answered = map[int]bool{}
		}
		if o.answered[n] = true; late {
			return nil
		}
		if o.proved[n] = !ca.refuse && ca.look(o, o.names[n])[ca.value(o, n)]; !o.proved[n] {
			o.status = acme.Invalid
			ca.sim.failed(o)
		} else if !slices.Contains(o.proved, false) {
			o.status = acme.Ready
		}
		return nil
	})
}

func (ca *fakeCA) Deactivate(_ context.Context, a acme.Account, url string) error {
	return ca.signed(a, "deactivate", func() error {
		ca.gone = append(ca.gone, url)
		return nil
	})
}

func (ca *fakeCA) Finalize(_ context.Context, a acme.Account, url string, csr []byte) (acme.Order, error) {
	var out acme.Order
	err := ca.signed(a, "finalize", func() error {
		o := ca.find(url)
		if o.status != acme.Ready {
			return &acme.Problem{Code: tenants.CABroken, Status: 403, Detail: "order is " + string(o.status), Reached: true}
		}
		if ca.forbids != nil {
			return ca.forbids
		}
		if p := ca.blocks(csr); p != nil {
			return p
		}
		o.status = acme.Processing
		o.csr, o.decided = csr, ca.now().Add(ca.thinks+ca.sim.slowness())
		out = ca.find(url).view()
		return nil
	})
	return out, err
}

func (ca *fakeCA) blocks(csr []byte) *acme.Problem {
	if len(ca.blocked) == 0 {
		return nil
	}
	req, err := x509.ParseCertificateRequest(csr)
	if err != nil {
		panic(err)
	}
	return ca.blocked[fmt.Sprintf("%x", sha256.Sum256(req.RawSubjectPublicKeyInfo))]
}

func (ca *fakeCA) Certificate(_ context.Context, a acme.Account, url string) ([]byte, error) {
	var out []byte
	err := ca.signed(a, "certificate", func() error {
		out = ca.find(url).cert
		if ca.chain != nil {
			out = ca.chain(out)
		}
		return nil
	})
	return out, err
}

func (ca *fakeCA) RenewalInfo(_ context.Context, certID string) (tenants.RenewalInfo, error) {
	info := tenants.RenewalInfo{Fetched: time.Now(), Next: time.Now().Add(ca.holds)}
	err := ca.call("renewalInfo", func() error {
		if ca.ari == nil {
			return nil
		}
		if leaf := ca.leaf(certID); leaf != nil {
			info.Start, info.End = ca.ari(leaf)
		}
		return nil
	})
	return info, err
}

func (ca *fakeCA) Revoke(_ context.Context, a acme.Account, certDER []byte, reason uint) error {
	return ca.signed(a, "revoke", func() error {
		leaf, err := x509.ParseCertificate(certDER)
		if err != nil {
			panic(err)
		}
		if ca.noRevoke != nil {
			if p := ca.noRevoke(reason); p != nil {
				return p
			}
		}
		if ca.revoked == nil {
			ca.revoked = map[string]fakeRevocation{}
		}
		ca.told++
		if _, twice := ca.revoked[leaf.SerialNumber.String()]; !twice { // a CA that was told before says so, which is no error
			ca.revoked[leaf.SerialNumber.String()] = fakeRevocation{time.Now(), reason}
		}
		return nil
	})
}

func (ca *fakeCA) sign(csrDER []byte) []byte {
	csr, err := x509.ParseCertificateRequest(csrDER)
	if err != nil {
		panic(err)
	}
	ca.serial++
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(ca.serial), DNSNames: csr.DNSNames,
		NotBefore: ca.now().Add(-ca.backdate), NotAfter: ca.now().Add(ca.validity - ca.backdate),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}, ca.root, csr.PublicKey, ca.key)
	if err != nil {
		panic(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		panic(err)
	}
	ca.leaves[leaf.SerialNumber.String()] = leaf
	out := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	return append(out, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ca.root.Raw})...)
}

// leaf is the certificate with the ARI id (RFC 9773, section 4.1), whose second half is the serial.
func (ca *fakeCA) leaf(certID string) *x509.Certificate {
	_, text, _ := strings.Cut(certID, ".")
	serial, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		panic(certID)
	}
	return ca.leaves[new(big.Int).SetBytes(serial).String()]
}

// find returns the order as it is by now: one whose processing is over has its certificate.
func (ca *fakeCA) find(url string) *fakeOrder {
	var id int
	if _, err := fmt.Sscanf(url, "https://ca.test/o/%d", &id); err != nil {
		panic(url)
	}
	o := ca.orders[id-1]
	if o.status == acme.Processing && !ca.stuck && !ca.now().Before(o.decided) {
		o.cert, o.status, o.csr = ca.sign(o.csr), acme.Valid, nil
		ca.sim.signed(o)
	}
	return o
}

// look is what the CA's resolver says for an order's name: what it saw there first.
func (ca *fakeCA) look(o *fakeOrder, name string) map[string]bool {
	base := strings.TrimPrefix(name, "*.")
	if o.saw[base] == nil {
		o.saw = map[string]map[string]bool{base: ca.dns.proofs(base)}
	}
	return o.saw[base]
}

// value proves the n-th name of the order.
// value is another one after each change of the account's key.
func (ca *fakeCA) value(o *fakeOrder, n int) string {
	return use(fmt.Sprintf("proof-%d%s", o.id, strings.Repeat("-again", len(ca.ended))), n+1)
}

// nth is which name of its order an authorization, or its challenge, is about.
func nth(url string) int {
	var order, n int
	if _, err := fmt.Sscanf(url, "https://ca.test/o/%d/authz/%d", &order, &n); err != nil {
		panic(url)
	}
	return n
}

func (o *fakeOrder) view() acme.Order {
	url := fmt.Sprintf("https://ca.test/o/%d", o.id)
	v := acme.Order{URL: url, Replaces: o.replaces, Status: o.status, Finalize: url + "/finalize", Expires: o.expires}
	for n := range o.names {
		v.Authorizations = append(v.Authorizations, fmt.Sprintf("%s/authz/%d", url, n))
	}
	if o.status == acme.Valid {
		v.Certificate = url + "/cert"
	}
	return v
}

// arm begins to count anew, and makes uses of calls fail as planned.
func (f *faults) arm(plan map[string]mode) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.plan, f.count = plan, nil
}
