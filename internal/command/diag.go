package command

import (
	"context"
	"encoding/json"
	"runtime"
	"time"

	"github.com/fieldgate/fieldgate/internal/contract"
)

func diag() Spec {
	return Spec{
		Name: "diag", Doc: "report the complete state of the gateway, and figures about the process", Default: true, Timeout: 5 * time.Second, Harmless: true,
		Run: func(_ context.Context, h Host, _ json.RawMessage) (any, error) {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			s := h.Status()
			s.Newest = nil // P/last and the command read have it
			return struct {
				contract.LocalStatus
				Go         string `json:"go"`
				Arch       string `json:"arch"`
				Goroutines int    `json:"goroutines"`
				HeapBytes  uint64 `json:"heap_bytes"`
			}{s, runtime.Version(), runtime.GOARCH, runtime.NumGoroutine(), m.HeapAlloc}, nil
		},
	}
}
