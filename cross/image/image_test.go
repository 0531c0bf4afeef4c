package main

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/validate"
)

// sample is a build of binaries and certificates that are only text.
func sample(t *testing.T) *build {
	t.Helper()
	b := &build{dist: t.TempDir(), roots: t.TempDir(), out: filepath.Join(t.TempDir(), "image"), version: "v1.2.3", created: time.Date(2026, 11, 20, 15, 4, 5, 0, time.FixedZone("", 3600))}
	for _, p := range platforms {
		put(t, filepath.Join(b.dist, "linux-"+p.target, "fieldgate"), "binary of "+p.target)
	}
	put(t, filepath.Join(b.roots, "b.crt"), "second\n")
	put(t, filepath.Join(b.roots, "a.crt"), "first\n")
	return b
}

func put(t *testing.T, file, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
}

// images returns those of a layout by their platform.
func images(t *testing.T, out string) map[string]v1.Image {
	t.Helper()
	top, err := layout.ImageIndexFromPath(out)
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := top.IndexManifest()
	if err != nil || len(manifest.Manifests) != 1 {
		t.Fatalf("want one index, got %v, %v", manifest, err)
	}
	index, err := top.ImageIndex(manifest.Manifests[0].Digest)
	if err != nil {
		t.Fatal(err)
	}
	if err := validate.Index(index); err != nil {
		t.Errorf("the index is invalid: %v", err)
	}
	if manifest, err = index.IndexManifest(); err != nil {
		t.Fatal(err)
	}
	found := map[string]v1.Image{}
	for _, m := range manifest.Manifests {
		if found[m.Platform.String()], err = index.Image(m.Digest); err != nil {
			t.Fatal(err)
		}
	}
	return found
}

// Nothing of the moment, the folder or the order of files gets into an image.
func TestSameDigestTwice(t *testing.T) {
	first, err := sample(t).write()
	if err != nil {
		t.Fatal(err)
	}
	b := sample(t)
	second, err := b.write()
	if err != nil {
		t.Fatal(err)
	}
	if again, err := b.write(); first != second || first != again {
		t.Errorf("got %v, %v and %v (%v)", first, second, again, err)
	}
	put(t, filepath.Join(b.roots, "c.crt"), "third\n")
	if other, err := b.write(); err != nil || other == first {
		t.Errorf("with another certificate: got %v, %v", other, err)
	}
}

func TestContents(t *testing.T) {
	b := sample(t)
	if _, err := b.write(); err != nil {
		t.Fatal(err)
	}
	all := images(t, b.out)
	for _, p := range platforms {
		image := all[p.platform.String()]
		if image == nil {
			t.Fatalf("no image for %s in %v", p.platform.String(), all)
		}
		file, err := image.ConfigFile()
		if err != nil {
			t.Fatal(err)
		}
		c := file.Config
		if c.User != "65532:65532" || !slices.Contains(c.Env, "STATE_DIRECTORY=/var/lib/fieldgate") || !slices.Contains(c.Env, "RUNTIME_DIRECTORY=/run/fieldgate") || c.Labels["org.opencontainers.image.version"] != "v1.2.3" {
			t.Errorf("%s: got %+v", p.target, c)
		}
		if _, ok := c.Volumes["/var/lib/fieldgate"]; !ok || file.Variant != p.platform.Variant || file.Architecture != p.platform.Architecture {
			t.Errorf("%s: got %+v", p.target, file)
		}
		root := unpack(t, image)
		for name, want := range map[string]string{"usr/bin/fieldgate": "binary of " + p.target, "etc/ssl/certs/ca-certificates.crt": "first\nsecond\n"} {
			if got, err := os.ReadFile(filepath.Join(root, name)); string(got) != want || err != nil {
				t.Errorf("%s: %s: got %q, %v", p.target, name, got, err)
			}
		}
		if info, err := os.Stat(filepath.Join(root, "tmp")); err != nil || info.Mode() != os.ModeDir|os.ModeSticky|0o777 {
			t.Errorf("%s: /tmp: %v, %v", p.target, info, err)
		}
	}
}

func TestMissingBinary(t *testing.T) {
	b := sample(t)
	if err := os.RemoveAll(filepath.Join(b.dist, "linux-armv6")); err != nil {
		t.Fatal(err)
	}
	if _, err := b.write(); err == nil || !strings.Contains(err.Error(), "run make cross") {
		t.Errorf("got %v", err)
	}
}

// unpack writes the files of an image below a new folder and returns that. The owners are the
// image's if root does it.
func unpack(t *testing.T, image v1.Image) string {
	t.Helper()
	root := t.TempDir()
	if err := os.Chmod(root, 0o755); err != nil {
		t.Fatal(err)
	}
	packed := mutate.Extract(image)
	defer packed.Close()
	for r := tar.NewReader(packed); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return root
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := extract(filepath.Join(root, h.Name), h, r); err != nil {
			t.Fatal(err)
		}
	}
}

func extract(to string, h *tar.Header, body io.Reader) error {
	if h.Typeflag == tar.TypeDir {
		if err := os.MkdirAll(to, 0o755); err != nil {
			return err
		}
	} else {
		var text bytes.Buffer
		if _, err := text.ReadFrom(body); err != nil {
			return err
		}
		if err := os.WriteFile(to, text.Bytes(), 0o600); err != nil {
			return err
		}
	}
	if os.Getuid() == 0 {
		if err := os.Chown(to, h.Uid, h.Gid); err != nil {
			return err
		}
	}
	return os.Chmod(to, h.FileInfo().Mode())
}
