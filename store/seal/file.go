package seal

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyset"
)

// File is a source that keeps the KEK in a local file.
func File(path string) Source {
	return func(create bool) (KEK, error) { return OpenFile(path, create) }
}

// OpenFile reads the KEK from a file: a Tink keyset in its JSON form. With create, a missing file is made, readable
// by its owner only; an existing one is never replaced.
func OpenFile(path string, create bool) (KEK, error) {
	text, err := os.ReadFile(path)
	switch {
	case err == nil:
		return parse(path, text)
	case !errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("read key file: %w", err)
	case !create:
		return nil, fmt.Errorf("the key file %s is missing, and the database holds secrets that only it can open; put it back from your backup", path)
	}
	if text, err = newKey(); err != nil {
		return nil, err
	}
	if err := writeNew(path, text); err != nil {
		return nil, fmt.Errorf("create key file: %w", err)
	}
	return parse(path, text)
}

func parse(path string, text []byte) (KEK, error) {
	handle, err := insecurecleartextkeyset.Read(keyset.NewJSONReader(bytes.NewReader(text)))
	if err != nil {
		return nil, fmt.Errorf("the key file %s is not a Tink keyset in JSON form; put the right one back from your backup: %w", path, err)
	}
	kek, err := aead.New(handle)
	if err != nil {
		return nil, fmt.Errorf("the key file %s holds another kind of key: %w", path, err)
	}
	return kek, nil
}

func newKey() ([]byte, error) {
	handle, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	if err != nil {
		return nil, fmt.Errorf("make key: %w", err)
	}
	var out bytes.Buffer
	if err := insecurecleartextkeyset.Write(handle, keyset.NewJSONWriter(&out)); err != nil {
		return nil, fmt.Errorf("write key: %w", err)
	}
	return append(out.Bytes(), '\n'), nil
}

// writeNew makes the whole file appear at once and only if there is none, and does not return before it is on disk:
// what is sealed next would be lost with it.
func writeNew(path string, text []byte) error {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, ".key-*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) //nolint:errcheck // a second name of the same file, or a leftover of a failure
	_, err = f.Write(text)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Link(f.Name(), path); err != nil {
		return err
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
