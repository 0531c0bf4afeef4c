package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"slices"
	"strings"
)

// The parts of a CycloneDX document that are used here.
type (
	document struct {
		Format       string       `json:"bomFormat"`
		Spec         string       `json:"specVersion"`
		Version      int          `json:"version"`
		Metadata     metadata     `json:"metadata"`
		Components   []component  `json:"components"`
		Dependencies []dependency `json:"dependencies"`
	}
	metadata struct {
		Component component `json:"component"`
	}
	component struct {
		Type       string     `json:"type"`
		Ref        string     `json:"bom-ref"`
		Name       string     `json:"name"`
		Version    string     `json:"version"`
		PURL       string     `json:"purl,omitempty"`
		Hashes     []hashed   `json:"hashes,omitempty"`
		Licenses   []licensed `json:"licenses,omitempty"`
		Properties []property `json:"properties,omitempty"`
	}
	hashed struct {
		Alg     string `json:"alg"`
		Content string `json:"content"`
	}
	licensed struct {
		License license `json:"license"`
	}
	license struct {
		ID string `json:"id"`
	}
	property struct {
		Name  string `json:"name"`
		Value string `json:"value"`
	}
	dependency struct {
		Ref       string   `json:"ref"`
		DependsOn []string `json:"dependsOn"`
	}
)

func hash(text []byte) string {
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// sbom writes the bill of materials. It has neither a time nor a serial number, so that the same
// binary has the same one.
func (b *binary) sbom(out io.Writer) error {
	main := component{Type: "application", Name: "fieldgate", Version: b.version, Licenses: []licensed{{license{"Apache-2.0"}}},
		PURL: "pkg:golang/" + b.info.Main.Path + "@" + b.version, Hashes: []hashed{{"SHA-256", b.sha256}}}
	main.Ref = main.PURL
	for _, s := range b.info.Settings {
		if strings.HasPrefix(s.Key, "GO") || strings.HasPrefix(s.Key, "-") {
			main.Properties = append(main.Properties, property{"go:" + s.Key, s.Value})
		}
	}
	goVersion := strings.TrimPrefix(b.info.GoVersion, "go")
	parts := []component{
		{Type: "library", Name: "std", Version: goVersion, PURL: "pkg:golang/std@" + goVersion},
		{Type: "library", Name: "sqlite", Version: b.sqlite, PURL: "pkg:generic/sqlite@" + b.sqlite, Licenses: []licensed{{license{"blessing"}}}},
	}
	for _, m := range b.info.Deps {
		parts = append(parts, component{Type: "library", Name: m.Path, Version: m.Version, PURL: "pkg:golang/" + m.Path + "@" + m.Version,
			Properties: []property{{"go:sum", m.Sum}}})
	}
	needs := dependency{Ref: main.Ref}
	for i := range parts {
		parts[i].Ref = parts[i].PURL
		needs.DependsOn = append(needs.DependsOn, parts[i].Ref)
	}
	slices.Sort(needs.DependsOn)
	e := json.NewEncoder(out)
	e.SetIndent("", "  ")
	return e.Encode(document{Format: "CycloneDX", Spec: "1.6", Version: 1, Metadata: metadata{main}, Components: parts, Dependencies: []dependency{needs}})
}
