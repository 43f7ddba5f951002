package dns

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/libdns/libdns"
	"github.com/libdns/route53"
)

// route53Hand writes through Amazon's API, which knows only whole sets of values: the present ones are read,
// changed and written back, one write after another. A write is one listing of the zone (1,000 record sets a page)
// and at most one change, so the zone should hold nothing but our records.
//
//   - The hosted zone's id is required. Looking it up by name would need access to all zones of the account, and
//     finds a private zone of the same name just as well.
//   - The library's AppendRecords writes a value that already exists a second time, which the service refuses.
//   - It ends the process when the AWS configuration of the machine cannot be loaded: an unknown AWS_PROFILE, a
//     broken ~/.aws/config. So that is tried first, in a way that only returns an error.
//   - It has no setting for the address of the service; the environment variable AWS_ENDPOINT_URL_ROUTE_53 is
//     honoured and read once, when the Writer is opened.
//   - Waiting until the service has told its own name servers stays off. We ask those ourselves.
type route53Hand struct {
	provider *route53.Provider
	turn     chan struct{} // holds one token: whoever took it reads and writes. A channel, so that waiting can end
}

func openRoute53(values map[string]string) (hand, error) {
	id, secret, region := values["access_key_id"], values["secret_access_key"], values["region"]
	fixed := credentials.NewStaticCredentialsProvider(id, secret, "")
	if _, err := config.LoadDefaultConfig(context.Background(), config.WithRegion(region), config.WithCredentialsProvider(fixed)); err != nil {
		return nil, fmt.Errorf("load AWS configuration: %w", err)
	}
	h := &route53Hand{turn: make(chan struct{}, 1), provider: &route53.Provider{
		Region:          region,
		AccessKeyId:     id,
		SecretAccessKey: secret,
		HostedZoneID:    values["hosted_zone_id"],
		MaxRetries:      4,
	}}
	// No records: the library loads its configuration and does nothing more.
	_, err := h.provider.SetRecords(context.Background(), "zone.", nil)
	return h, err
}

func (h *route53Hand) present(ctx context.Context, t txt) error {
	return h.exclusively(ctx, func() error {
		values, err := h.values(ctx, t)
		if err != nil || slices.Contains(values, t.value) {
			return err
		}
		return h.set(ctx, t, append(values, t.value))
	})
}

func (h *route53Hand) remove(ctx context.Context, t txt) error {
	return h.exclusively(ctx, func() error {
		_, err := h.provider.DeleteRecords(ctx, t.zone, t.records())
		return err
	})
}

func (h *route53Hand) exclusively(ctx context.Context, f func() error) error {
	select {
	case h.turn <- struct{}{}:
		defer func() { <-h.turn }()
		return f()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// values lists the TXT values at t's name.
func (h *route53Hand) values(ctx context.Context, t txt) (values []string, err error) {
	all, err := h.provider.GetRecords(ctx, t.zone)
	for _, record := range all {
		if rr := record.RR(); rr.Type == "TXT" && strings.EqualFold(rr.Name, t.name) {
			values = append(values, rr.Data)
		}
	}
	return values, err
}

func (h *route53Hand) set(ctx context.Context, t txt, values []string) error {
	var records []libdns.Record
	for _, v := range values {
		records = append(records, libdns.TXT{Name: t.name, TTL: lifespan, Text: v})
	}
	_, err := h.provider.SetRecords(ctx, t.zone, records)
	return err
}

// silent: no answer, a server error, or too many requests at once. What the service answers otherwise is a refusal.
func (h *route53Hand) silent(err error) bool {
	var coded interface{ ErrorCode() string }
	if errors.As(err, &coded) && slices.Contains([]string{"Throttling", "ThrottlingException", "PriorRequestNotComplete", "ServiceUnavailable", "RequestTimeout"}, coded.ErrorCode()) {
		return true
	}
	var answered interface{ HTTPStatusCode() int }
	if !errors.As(err, &answered) {
		return true
	}
	status := answered.HTTPStatusCode()
	return status == 0 || status == http.StatusTooManyRequests || status >= 500
}
