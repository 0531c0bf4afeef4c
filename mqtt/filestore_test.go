package mqtt

import (
	"context"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func TestFileStore(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	ctx := context.Background()
	for i, want := range []SessionFacts{
		{}, {ClientID: "c", Established: true}, {ClientID: "c\n\"", Received: []uint16{1, 65535}}, {ClientID: "d", Established: true, Received: []uint16{7}},
	} {
		if i > 0 {
			if err := FileStore(dir).Save(ctx, want); err != nil {
				t.Fatal(err)
			}
		}
		got, err := FileStore(dir).Load(ctx)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v, %v, want %+v", got, err, want)
		}
	}
	if files, err := os.ReadDir(dir); err != nil || len(files) != 1 {
		t.Errorf("%v, %v", files, err)
	}
}

// TestFileStoreDamaged cuts the file at every length and changes every byte: that is an error which
// names the file, never other facts.
func TestFileStoreDamaged(t *testing.T) {
	dir := t.TempDir()
	store := FileStore(dir)
	ctx := context.Background()
	if err := store.Save(ctx, SessionFacts{ClientID: "client", Established: true, Received: []uint16{1, 2}}); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "session")
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	check := func(b []byte) {
		t.Helper()
		if err := os.WriteFile(file, b, 0o600); err != nil {
			t.Fatal(err)
		}
		facts, err := store.Load(ctx)
		if err == nil || !strings.Contains(err.Error(), file+" is damaged") || !reflect.DeepEqual(facts, SessionFacts{}) {
			t.Errorf("%q: %+v, %v", b, facts, err)
		}
	}
	for n := range whole {
		check(whole[:n])
		changed := append([]byte(nil), whole...)
		changed[n] ^= 1
		check(changed)
	}
	line := `{"v":2,"client_id":"c"}`
	check([]byte(line + "\n" + checksum([]byte(line))))

	// What a power cut left of a new file does not matter.
	if err := os.WriteFile(file, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file+".new", []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	if facts, err := store.Load(ctx); err != nil || facts.ClientID != "client" {
		t.Errorf("%+v, %v", facts, err)
	}
	if err := store.Save(ctx, SessionFacts{ClientID: "next"}); err != nil {
		t.Error(err)
	}
	if err := FileStore(file).Save(ctx, SessionFacts{}); err == nil {
		t.Error("a file was taken for a directory")
	}
}

// TestMosquittoFileStore resumes a session in another client, as a restarted process would.
func TestMosquittoFileStore(t *testing.T) {
	u := tcpMosquitto(t, "")
	dir := t.TempDir()
	for i := range 3 {
		k := start(t, Config{URLs: []string{u}, Session: FileStore(dir), Subscriptions: []Subscription{{Filter: "t/#", QoS: ExactlyOnce}}})
		if e := k.await(t, Connected); e.Negotiated.SessionPresent != (i > 0) || e.Negotiated.ClientID == "" {
			t.Errorf("client %d: %+v", i, e.Negotiated)
		}
		roundTrip(t, k)
		k.close(t, false)
	}
}
