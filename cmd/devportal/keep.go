package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"perennial/cmd/devportal/devdns"
)

// recall sets the customers' records that an earlier run with the same data kept. The DNS server itself lives in
// memory; without this every kept domain would lose its delegation at each start.
func recall(server *devdns.Server, path string) error {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	var records []devdns.Record
	if err == nil {
		err = json.Unmarshal(text, &records)
	}
	for _, r := range records {
		if err == nil {
			err = server.Add(r.Name, r.Type, r.Value)
		}
	}
	if err != nil {
		return fmt.Errorf("recall the customers' DNS: %w", err)
	}
	return nil
}

// remember keeps the customers' records until ctx ends, a second after each change at the latest.
func remember(ctx context.Context, server *devdns.Server, path string) error {
	var last []byte
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		text, err := json.Marshal(customersRecords(server))
		if err == nil && !bytes.Equal(text, last) {
			err = replaceFile(path, text)
			last = text
		}
		if err != nil {
			return fmt.Errorf("keep the customers' DNS: %w", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// customersRecords leaves out what the zones are born with.
func customersRecords(server *devdns.Server) []devdns.Record {
	records := []devdns.Record{}
	for _, apex := range customerZones {
		for _, r := range server.List(apex) {
			if r.Type != "SOA" && r.Type != "NS" && r.Name != "ns1."+apex && r.Name != "ns2."+apex {
				records = append(records, r)
			}
		}
	}
	return records
}

// replaceFile writes a file whole or not at all: a reader never sees half of it.
func replaceFile(path string, text []byte) error {
	if err := os.WriteFile(path+".part", text, 0o600); err != nil {
		return err
	}
	return os.Rename(path+".part", path)
}
