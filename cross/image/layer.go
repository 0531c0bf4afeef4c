package main

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// An entry is a file or a folder of a layer.
type entry struct {
	name  string
	mode  int64
	owned bool // by the program
	body  []byte
}

// folder is the mode of a folder that is only read.
const folder = 0o755

// base is what every platform has: folders to write to, names of the users, certificates.
func (b *build) base() (v1.Layer, error) {
	roots, err := b.certificates()
	if err != nil {
		return nil, err
	}
	const users = "root:x:0:0:root:/root:/sbin/nologin\nfieldgate:x:65532:65532:fieldgate:/var/lib/fieldgate:/sbin/nologin\n"
	const groups = "root:x:0:\nfieldgate:x:65532:\n"
	return b.layer(
		entry{name: "etc", mode: folder},
		entry{name: "etc/fieldgate", mode: folder},
		entry{name: "etc/group", mode: 0o644, body: []byte(groups)},
		entry{name: "etc/passwd", mode: 0o644, body: []byte(users)},
		entry{name: "etc/ssl", mode: folder},
		entry{name: "etc/ssl/certs", mode: folder},
		entry{name: "etc/ssl/certs/ca-certificates.crt", mode: 0o644, body: roots},
		entry{name: "proc", mode: 0o555},
		entry{name: "run", mode: folder},
		entry{name: "run/fieldgate", mode: 0o750, owned: true},
		entry{name: "sys", mode: 0o555},
		entry{name: "tmp", mode: 0o1777},
		entry{name: "var", mode: folder},
		entry{name: "var/lib", mode: folder},
		entry{name: "var/lib/fieldgate", mode: 0o750, owned: true},
	)
}

// certificates joins those of the folder in the order of their names.
func (b *build) certificates() ([]byte, error) {
	files, err := filepath.Glob(filepath.Join(b.roots, "*.crt"))
	if err == nil && len(files) == 0 {
		err = fmt.Errorf("%s has no *.crt: install ca-certificates", b.roots)
	}
	var all []byte
	for _, file := range files {
		text, e := os.ReadFile(file)
		if e != nil {
			return nil, e
		}
		all = append(all, text...)
	}
	return all, err
}

// layer packs entries, all of the same time.
func (b *build) layer(entries ...entry) (v1.Layer, error) {
	var packed bytes.Buffer
	w := tar.NewWriter(&packed)
	for _, e := range entries {
		h := &tar.Header{Name: e.name, Mode: e.mode, Size: int64(len(e.body)), ModTime: b.created.UTC(), Typeflag: tar.TypeReg, Format: tar.FormatUSTAR}
		if e.body == nil {
			h.Typeflag, h.Name = tar.TypeDir, e.name+"/"
		}
		if e.owned {
			h.Uid, h.Gid = uid, uid
		}
		if err := w.WriteHeader(h); err != nil {
			return nil, fmt.Errorf("%s: %w", e.name, err)
		}
		if _, err := w.Write(e.body); err != nil {
			return nil, fmt.Errorf("%s: %w", e.name, err)
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	open := func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(packed.Bytes())), nil }
	return tarball.LayerFromOpener(open, tarball.WithMediaType(types.OCILayer), tarball.WithCompressedCaching)
}
