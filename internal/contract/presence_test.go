package contract_test

import (
	"strings"
	"testing"
	"time"

	"github.com/fieldgate/fieldgate/internal/contract"
)

func TestOverwritten(t *testing.T) {
	now := func() (time.Time, bool) { return time.Unix(1e9, 0), true }
	p := &contract.Presence{Run: "p", Store: "aa", Boot: 3, Version: "v", Now: now}
	other := &contract.Presence{Run: "o", Store: "bb", Boot: 9, Version: "v", Now: now}
	older := &contract.Presence{Run: "before", Store: "aa", Boot: 2, Version: "v", Now: now}
	copied := &contract.Presence{Run: "copied", Store: "aa", Boot: 3, Version: "v", Now: now}
	unopened := &contract.Presence{Run: "unopened", Version: "v", Now: now}
	for _, tt := range []struct {
		name     string
		document []byte
		want     bool
	}{
		{"the will of an earlier connection", p.Document(contract.Lost), true},
		{"the birth of an earlier start", older.Document(contract.Online), true},
		{"cleared by somebody", nil, true},
		{"nonsense", []byte("online"), true},
		{"the will of another gateway of our name", other.Document(contract.Lost), true},
		{"another gateway of our name was stopped", other.Document(contract.Offline), true},
		{"OK another gateway of our name", other.Document(contract.Online), false},
		{"OK another gateway with a copy of our store, another gateway of our name", copied.Document(contract.Online), false},
		{"an earlier start whose store could not be opened", unopened.Document(contract.Online), true},
		{"OK our own", p.Document(contract.Online), false},
		{"OK our own good night, while we leave", p.Sleep(time.Unix(1e9+900, 0)), false},
		{"the good night of an earlier start", older.Sleep(time.Unix(1e9+900, 0)), true},
		{"the good night of another gateway of our name", other.Sleep(time.Unix(1e9+900, 0)), true},
	} {
		if got := p.Overwritten(tt.document); got != tt.want {
			t.Errorf("%s: want %v, got %v", tt.name, tt.want, got)
		}
		id, twin := p.Twin(tt.document)
		if want := strings.HasSuffix(tt.name, "another gateway of our name"); twin != want || want && !strings.HasPrefix(id, `run "`) {
			t.Errorf("%s: twin %q, %v", tt.name, id, twin)
		}
	}
}
