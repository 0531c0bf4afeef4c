package page

import (
	"archive/zip"
	"encoding/json"
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"time"

	"github.com/fieldgate/fieldgate/internal/bounded"
)

const (
	shownLines    = 200
	shownCommands = 12
)

// serveBundle serves what somebody elsewhere needs to find a fault. It has no secrets.
func (p *Page) serveBundle(w http.ResponseWriter, _ *http.Request) {
	s := p.cfg.View.Status()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	up := p.cfg.Up()
	day, outages, count := p.history.day(up)
	var files strings.Builder
	for _, f := range p.cfg.Files() {
		fmt.Fprintf(&files, "%s = %s  # %s\n", f.Key, f.Value, f.From)
	}
	type ended struct {
		Began, Ended float64 // seconds since power-up; Ended is 0 while it lasts
		Cause        string
	}
	link := struct {
		Up       float64
		Outages  int
		Newest   []ended
		Span     float64
		Day      []linkPoint // milliseconds: unknown, online, asleep, offline
		Commands any
		Losses   any
	}{up.Seconds(), count, nil, linkSpan.Seconds(), day, p.cfg.View.Recent(100), p.history.newestLosses()}
	for _, o := range outages {
		link.Newest = append(link.Newest, ended{o.began.Seconds(), o.ended.Seconds(), o.cause})
	}
	w.Header().Set("Content-Type", "application/zip")
	w.Header().Set("Content-Disposition", fmt.Sprintf("attachment; filename=%q", "fieldgate-"+s.Gateway+"-"+time.Now().Format("20060102-150405")+".zip"))
	z := zip.NewWriter(w)
	add := func(name string, v any) error {
		if err := bounded.Extend(w); err != nil {
			return err
		}
		f, err := z.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Deflate, Modified: time.Now()})
		if err != nil {
			return err
		}
		if text, ok := v.(string); ok {
			_, err = f.Write([]byte(text))
			return err
		}
		e := json.NewEncoder(f)
		e.SetIndent("", "  ")
		return e.Encode(v)
	}
	for _, f := range []struct {
		name string
		what any
	}{
		{"status.json", s},
		{"history.json", link},
		{"log.txt", strings.Join(p.cfg.Lines(10000), "\n") + "\n"},
		{"configuration.txt", files.String()},
		{"process.json", map[string]any{"go": runtime.Version(), "os": runtime.GOOS, "arch": runtime.GOARCH, "goroutines": runtime.NumGoroutine(), "heap_bytes": m.HeapAlloc, "sys_bytes": m.Sys, "collections": m.NumGC}},
	} {
		if add(f.name, f.what) != nil {
			panic(http.ErrAbortHandler) // so that the viewer sees that it is not whole
		}
	}
	if z.Close() != nil {
		panic(http.ErrAbortHandler)
	}
}
