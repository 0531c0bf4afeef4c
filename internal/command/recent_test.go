package command

import (
	"fmt"
	"testing"
	"testing/synctest"
)

// TestRecentIsTheNewestFirst: also of commands that were refused or still wait.
func TestRecentIsTheNewestFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		if got := r.runner.Recent(10); len(got) != 0 {
			t.Errorf("of an empty ledger: %+v", got)
		}
		for i := range 30 {
			r.accept("do", fmt.Sprintf(`{"id":"c%02d"}`, i), nil)
			r.run()
		}
		r.accept("do", `{"id":"waits"}`, nil)
		got := r.runner.Recent(4)
		if len(got) != 4 || got[0].ID != "waits" || got[0].State != "" || got[1].ID != "c29" || got[1].State != "succeeded" || got[1].Op != "do" || got[3].ID != "c27" {
			t.Errorf("%+v", got)
		}
		if got[1].At.IsZero() {
			t.Error("it does not say when")
		}
		if all := r.runner.Recent(1000); len(all) != 31 || all[30].ID != "c00" {
			t.Errorf("%d commands, the last %+v", len(all), all[len(all)-1])
		}
		r.close()
	})
}
