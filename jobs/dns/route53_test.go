package dns_test

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"perennial/jobs/dns"
	"perennial/tenants"
)

const hostedZone = "Z0123456789ABCDEFGHIJ"

// amazon is the part of the Route 53 API that counts: listing a zone page by page, and changes with the service's
// own strictness about duplicates and deletions.
type amazon struct {
	mu    sync.Mutex
	sets  map[string][]string // name → quoted TXT values
	ttl   map[string]string
	calls []string
	fail  func(w http.ResponseWriter) // answers instead
	block chan struct{}               // when set, calls wait until it is closed
}

type change struct {
	Action string   `xml:"ChangeBatch>Changes>Change>Action"`
	Name   string   `xml:"ChangeBatch>Changes>Change>ResourceRecordSet>Name"`
	Type   string   `xml:"ChangeBatch>Changes>Change>ResourceRecordSet>Type"`
	TTL    string   `xml:"ChangeBatch>Changes>Change>ResourceRecordSet>TTL"`
	Values []string `xml:"ChangeBatch>Changes>Change>ResourceRecordSet>ResourceRecords>ResourceRecord>Value"`
}

// startAmazon starts the service and points the AWS library of this process at it.
func startAmazon(t *testing.T) *amazon {
	t.Helper()
	a := &amazon{sets: make(map[string][]string), ttl: make(map[string]string)}
	s := httptest.NewServer(a)
	t.Cleanup(s.Close)
	t.Setenv("AWS_ENDPOINT_URL_ROUTE_53", s.URL)
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	t.Setenv("AWS_CONFIG_FILE", filepath.Join(t.TempDir(), "none"))
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", filepath.Join(t.TempDir(), "none"))
	return a
}

func (a *amazon) writer(t *testing.T) *dns.Writer {
	t.Helper()
	w, err := dns.OpenWriter("route53", secrets(map[string]string{
		"access_key_id": "AKIDEXAMPLE", "secret_access_key": "wJalrXUtnFEMI", "hosted_zone_id": "/hostedzone/" + hostedZone}))
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func (a *amazon) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if a.block != nil {
		<-a.block
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	call := r.Method + " " + strings.TrimPrefix(r.URL.Path, "/2013-04-01")
	a.calls = append(a.calls, call)
	w.Header().Set("Content-Type", "text/xml")
	switch {
	case !strings.Contains(r.Header.Get("Authorization"), "Credential=AKIDEXAMPLE/") || !strings.Contains(r.Header.Get("Authorization"), "/us-east-1/route53/"):
		refuse(w, http.StatusForbidden, "InvalidClientTokenId", "not signed by the account's key")
	case a.fail != nil:
		a.fail(w)
	case call == "GET /hostedzone/"+hostedZone+"/rrset":
		a.list(w, r.URL.Query().Get("name"))
	case call == "POST /hostedzone/"+hostedZone+"/rrset", call == "POST /hostedzone/"+hostedZone+"/rrset/":
		a.change(w, r.Body)
	default:
		refuse(w, http.StatusNotFound, "NoSuchHostedZone", call)
	}
}

func refuse(w http.ResponseWriter, status int, code, message string) {
	w.WriteHeader(status)
	fmt.Fprintf(w, `<ErrorResponse><Error><Type>Sender</Type><Code>%s</Code><Message>%s</Message></Error><RequestId>1</RequestId></ErrorResponse>`, code, message)
}

// list gives one set a page, after the zone's own records.
func (a *amazon) list(w io.Writer, from string) {
	names := []string{}
	for n := range a.sets {
		names = append(names, n)
	}
	slices.Sort(names)
	names = slices.DeleteFunc(names, func(n string) bool { return n < from })
	body, next := "", ""
	if from == "" {
		body = `<ResourceRecordSet><Name>certs.portal.example.</Name><Type>NS</Type><TTL>60</TTL><ResourceRecords><ResourceRecord><Value>ns-1.awsdns.example.</Value></ResourceRecord></ResourceRecords></ResourceRecordSet>`
	}
	if len(names) > 0 {
		body += `<ResourceRecordSet><Name>` + names[0] + `</Name><Type>TXT</Type><TTL>` + a.ttl[names[0]] + `</TTL><ResourceRecords>`
		for _, v := range a.sets[names[0]] {
			body += `<ResourceRecord><Value>` + v + `</Value></ResourceRecord>`
		}
		body += `</ResourceRecords></ResourceRecordSet>`
	}
	if len(names) > 1 {
		next = `<NextRecordName>` + names[1] + `</NextRecordName><NextRecordType>TXT</NextRecordType>`
	}
	fmt.Fprintf(w, `<ListResourceRecordSetsResponse><ResourceRecordSets>%s</ResourceRecordSets><IsTruncated>%t</IsTruncated>%s<MaxItems>1</MaxItems></ListResourceRecordSetsResponse>`, body, next != "", next)
}

func (a *amazon) change(w http.ResponseWriter, body io.Reader) {
	var c change
	if err := xml.NewDecoder(body).Decode(&c); err != nil {
		refuse(w, http.StatusBadRequest, "InvalidInput", err.Error())
		return
	}
	slices.Sort(c.Values)
	switch {
	case c.Type != "TXT" || len(slices.Compact(slices.Clone(c.Values))) != len(c.Values):
		refuse(w, http.StatusBadRequest, "InvalidChangeBatch", "Duplicate Resource Record")
		return
	case c.Action == "UPSERT":
		a.sets[c.Name], a.ttl[c.Name] = c.Values, c.TTL
	case c.Action == "DELETE" && slices.Equal(a.sets[c.Name], c.Values) && a.ttl[c.Name] == c.TTL:
		delete(a.sets, c.Name)
	default:
		refuse(w, http.StatusBadRequest, "InvalidChangeBatch", "values provided do not match the current values")
		return
	}
	fmt.Fprint(w, `<ChangeResourceRecordSetsResponse><ChangeInfo><Id>/change/C1</Id><Status>PENDING</Status><SubmittedAt>2026-11-22T12:00:00Z</SubmittedAt></ChangeInfo></ChangeResourceRecordSetsResponse>`)
}

func (a *amazon) holds(t *testing.T, want ...string) {
	t.Helper()
	a.mu.Lock()
	defer a.mu.Unlock()
	var got []string
	for _, v := range a.sets[shop.Target()+"."] {
		got = append(got, strings.Trim(v, `"`))
	}
	if !slices.Equal(got, want) {
		t.Errorf("the zone holds %q, want %q", got, want)
	}
}

func TestRoute53KeepsOtherValues(t *testing.T) {
	a := startAmazon(t)
	a.sets["other."+shop.Zone+"."] = []string{`"strange \"value\""`}
	a.ttl["other."+shop.Zone+"."] = "3600"
	w := a.writer(t)
	if len(a.calls) != 0 {
		t.Errorf("opening asked %v", a.calls)
	}
	must(t, w.Remove(t.Context(), shop.Zone, shop.Target(), "never"))
	for _, v := range []string{"one", "two", "one"} {
		must(t, w.Present(t.Context(), shop.Zone, shop.Target(), v))
	}
	a.holds(t, "one", "two")
	must(t, w.Remove(t.Context(), shop.Zone, shop.Target(), "one"))
	must(t, w.Remove(t.Context(), shop.Zone, shop.Target(), "one"))
	a.holds(t, "two")
	must(t, w.Remove(t.Context(), shop.Zone, shop.Target(), "two"))
	a.holds(t)
	if len(a.sets) != 1 {
		t.Errorf("a stranger's record was touched: %v", a.sets)
	}
	posts := slices.DeleteFunc(slices.Clone(a.calls), func(c string) bool { return strings.HasPrefix(c, "GET") })
	if len(posts) != 5 { // one, two, (two), -one, (-one writes back what is there), -two
		t.Errorf("%d changes: %v", len(posts), posts)
	}
}

func TestRoute53LosesNothing(t *testing.T) {
	a := startAmazon(t)
	w := a.writer(t)
	var all sync.WaitGroup
	var want []string
	for i := range 16 {
		value := fmt.Sprintf("value-%02d", i)
		want = append(want, value)
		all.Go(func() { must(t, w.Present(t.Context(), shop.Zone, shop.Target(), value)) })
	}
	all.Wait()
	a.holds(t, want...)
}

func TestRoute53Faults(t *testing.T) {
	for _, c := range []struct {
		status int
		name   string
		code   tenants.Code
	}{
		{http.StatusForbidden, "AccessDenied", tenants.WriteRefused},
		{http.StatusNotFound, "NoSuchHostedZone", tenants.WriteRefused},
		{http.StatusNotImplemented, "NotImplemented", tenants.WriteSilent},
		{http.StatusBadRequest, "ServiceUnavailable", tenants.WriteSilent},
	} {
		a := startAmazon(t)
		a.fail = func(w http.ResponseWriter) { refuse(w, c.status, c.name, "said with wJalrXUtnFEMI in it") }
		w := a.writer(t)
		for _, err := range []error{
			w.Present(t.Context(), shop.Zone, shop.Target(), "value"),
			w.Remove(t.Context(), shop.Zone, shop.Target(), "value"),
		} {
			wantFault(t, err, c.code, c.name)
			if strings.Contains(err.Error(), "wJalrXUtnFEMI") {
				t.Errorf("%v tells a secret", err)
			}
		}
	}
}

// The library trips over a record set without a name. That must end the write, and neither the portal nor the turn.
func TestRoute53SurvivesPanics(t *testing.T) {
	a := startAmazon(t)
	w := a.writer(t)
	a.fail = func(w http.ResponseWriter) {
		fmt.Fprint(w, `<ListResourceRecordSetsResponse><ResourceRecordSets><ResourceRecordSet><Type>TXT</Type></ResourceRecordSet></ResourceRecordSets></ListResourceRecordSetsResponse>`)
	}
	wantFault(t, w.Present(t.Context(), shop.Zone, shop.Target(), "value"), tenants.WriteRefused, "panicked")
	wantFault(t, w.Remove(t.Context(), shop.Zone, shop.Target(), "value"), tenants.WriteRefused, "panicked")
	a.fail = nil
	must(t, w.Present(t.Context(), shop.Zone, shop.Target(), "value"))
	a.holds(t, "value")
}

// Writes wait for each other, but nobody waits longer than they want.
func TestRoute53WaitingEnds(t *testing.T) {
	a := startAmazon(t)
	a.block = make(chan struct{})
	w := a.writer(t)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	for i := range 3 {
		go func() { done <- w.Present(ctx, shop.Zone, shop.Target(), fmt.Sprintf("value-%d", i)) }()
	}
	cancel()
	for range 3 {
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	}
	close(a.block)
}

// The library ends the process when the machine's AWS configuration cannot be loaded. Opening must say so instead.
func TestRoute53SurvivesTheMachinesConfiguration(t *testing.T) {
	startAmazon(t)
	t.Setenv("AWS_PROFILE", "nobody")
	_, err := dns.OpenWriter("route53", secrets(map[string]string{"access_key_id": "AKIDEXAMPLE", "secret_access_key": "s", "hosted_zone_id": hostedZone}))
	var e *tenants.Error
	if !errors.As(err, &e) || e.Kind != tenants.Invalid || !strings.Contains(err.Error(), "nobody") {
		t.Errorf("got %v", err)
	}
}
