package store

import (
	"encoding/json"
	"fmt"
	"time"
)

// us is an instant as rows hold it: microseconds since 1970, UTC; 0 for the zero time.
func us(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

func fromUS(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.UnixMicro(n).UTC()
}

// instant scans what us wrote.
type instant struct{ to *time.Time }

func at(t *time.Time) instant { return instant{t} }

func (i instant) Scan(v any) error {
	n, ok := v.(int64)
	if !ok {
		return fmt.Errorf("scan instant: got %T", v)
	}
	*i.to = fromUS(n)
	return nil
}

func bit(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// flag scans what bit wrote.
type flag struct{ to *bool }

func (f flag) Scan(v any) error {
	n, ok := v.(int64)
	if !ok {
		return fmt.Errorf("scan flag: got %T", v)
	}
	*f.to = n != 0
	return nil
}

// seconds scans a length of time that a column holds in whole seconds.
type seconds struct{ to *time.Duration }

func (s seconds) Scan(v any) error {
	n, ok := v.(int64)
	if !ok {
		return fmt.Errorf("scan seconds: got %T", v)
	}
	*s.to = time.Duration(n) * time.Second
	return nil
}

// enc is a small value as a column holds it. The store's own types always encode.
func enc(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic("store: encode column: " + err.Error())
	}
	return string(b)
}

// document scans what enc wrote; an empty column leaves the zero value.
type document struct{ to any }

func doc(to any) document { return document{to} }

func (d document) Scan(v any) error {
	var b []byte
	switch v := v.(type) {
	case string:
		b = []byte(v)
	case []byte:
		b = v
	default:
		return fmt.Errorf("scan document: got %T", v)
	}
	if len(b) == 0 {
		return nil
	}
	return json.Unmarshal(b, d.to)
}
