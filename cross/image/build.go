package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// A build is what an image is made of.
type build struct {
	dist, out, roots, version string
	created                   time.Time
}

// platforms are what the index offers, by the targets of `make cross`.
var platforms = []struct {
	target   string
	platform v1.Platform
}{
	{"amd64", v1.Platform{OS: "linux", Architecture: "amd64"}},
	{"arm64", v1.Platform{OS: "linux", Architecture: "arm64"}},
	{"armv7", v1.Platform{OS: "linux", Architecture: "arm", Variant: "v7"}},
	{"armv6", v1.Platform{OS: "linux", Architecture: "arm", Variant: "v6"}},
}

// uid is the user of the program, and its group; nobody else has it on a usual machine.
const uid = 65532

// write replaces the layout and returns the digest of the index.
func (b *build) write() (v1.Hash, error) {
	if err := os.RemoveAll(b.out); err != nil {
		return v1.Hash{}, err
	}
	index, err := b.index()
	if err != nil {
		return v1.Hash{}, err
	}
	digest, err := index.Digest()
	if err != nil {
		return v1.Hash{}, err
	}
	to, err := layout.Write(b.out, empty.Index)
	if err == nil {
		err = to.AppendIndex(index, layout.WithAnnotations(map[string]string{"org.opencontainers.image.ref.name": b.version}))
	}
	return digest, err
}

func (b *build) index() (v1.ImageIndex, error) {
	base, err := b.base()
	if err != nil {
		return nil, err
	}
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, p := range platforms {
		image, err := b.image(base, p.target, p.platform)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p.target, err)
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: image, Descriptor: v1.Descriptor{Platform: &p.platform}})
	}
	return mutate.Annotations(index, b.labels()).(v1.ImageIndex), nil
}

// image adds a platform's binary to what all have, so that an update transfers the binary alone.
func (b *build) image(base v1.Layer, target string, p v1.Platform) (v1.Image, error) {
	program, err := os.ReadFile(filepath.Join(b.dist, "linux-"+target, "fieldgate"))
	if err != nil {
		return nil, fmt.Errorf("%w: run make cross", err)
	}
	binary, err := b.layer(entry{name: "usr", mode: folder}, entry{name: "usr/bin", mode: folder}, entry{name: "usr/bin/fieldgate", mode: 0o755, body: program})
	if err != nil {
		return nil, err
	}
	image := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	if image, err = mutate.AppendLayers(image, base, binary); err != nil {
		return nil, err
	}
	file, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	file = file.DeepCopy()
	file.OS, file.Architecture, file.Variant = p.OS, p.Architecture, p.Variant
	file.Created = v1.Time{Time: b.created.UTC()}
	for i := range file.History {
		file.History[i] = v1.History{Created: file.Created, CreatedBy: "cross/image"}
	}
	file.Config = v1.Config{
		User:       strconv.Itoa(uid) + ":" + strconv.Itoa(uid),
		Entrypoint: []string{"/usr/bin/fieldgate"},
		Cmd:        []string{"run"},
		Env:        []string{"PATH=/usr/bin", "STATE_DIRECTORY=/var/lib/fieldgate", "RUNTIME_DIRECTORY=/run/fieldgate"},
		WorkingDir: "/",
		Volumes:    map[string]struct{}{"/var/lib/fieldgate": {}},
		Labels:     b.labels(),
		StopSignal: "SIGTERM",
		// Whether the gateway answers, not whether its broker does: a container that is
		// started anew in an outage delivers nothing earlier.
		Healthcheck: &v1.HealthConfig{Test: []string{"CMD", "/usr/bin/fieldgate", "status"}, Interval: time.Minute, Timeout: 10 * time.Second, StartPeriod: 30 * time.Second, Retries: 3},
	}
	return mutate.ConfigFile(image, file)
}

func (b *build) labels() map[string]string {
	const name = "org.opencontainers.image."
	return map[string]string{
		name + "title":       "fieldgate",
		name + "description": "edge gateway: sensors to MQTT 5.0, with proof of what was delivered",
		name + "version":     b.version,
		name + "created":     b.created.UTC().Format(time.RFC3339),
		name + "source":      "https://github.com/fieldgate/fieldgate",
		name + "licenses":    "Apache-2.0",
	}
}
