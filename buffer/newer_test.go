package buffer

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// unreleased makes a store as versions before the first release did, as far as this one looks at
// it.
func unreleased(t *testing.T) (path string) {
	path = filepath.Join(t.TempDir(), "queue.db")
	sqlite(t, path, fmt.Sprintf(`PRAGMA journal_mode=wal; PRAGMA application_id=%d; PRAGMA user_version=3; CREATE TABLE boot(boot)`, unreleasedID))
	return path
}

// A store from before the first release is moved aside, with its log, and a new one begins.
func TestUnreleasedVersionIsMovedAside(t *testing.T) {
	path := unreleased(t)
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path+"-wal", noise(1, 5000), 0o600); err != nil {
		t.Fatal(err)
	}
	for boot := range uint32(2) {
		s := openAt(t, path, Options{})
		if o := s.Opened(); s.Boot() != boot+1 || o.New != (boot == 0) || o.SetAside != "" {
			t.Errorf("boot %d, %+v", s.Boot(), o)
		}
		closeStore(t, s)
	}
	after, err := os.ReadFile(path + ".unreleased")
	if err != nil || string(after) != string(before) || fileSize(path+".unreleased-wal") != 5000 {
		t.Errorf("moved aside: %v, the same: %v, log of %d bytes", err, string(after) == string(before), fileSize(path+".unreleased-wal"))
	}
}

// A store of a newer version is refused as that, whatever else is different in it, and left as it
// is, also where it seems damaged to this one.
func TestNewerVersion(t *testing.T) {
	const next = schemaVersion + 1
	made := func(pageSize int, mode, more string) func(t *testing.T, path string) string {
		return func(t *testing.T, path string) string {
			sqlite(t, path, fmt.Sprintf(`PRAGMA page_size=%d; PRAGMA journal_mode=%s; PRAGMA application_id=%d; PRAGMA user_version=%d; %s`,
				pageSize, mode, applicationID, next, more))
			return path
		}
	}
	const tables = `CREATE TABLE progress(a, b, c); CREATE TABLE other(x); CREATE INDEX i ON other(x); INSERT INTO other VALUES(zeroblob(100000))`
	for _, tt := range []struct {
		name  string
		make  func(t *testing.T, path string) string
		inLog bool // SQLite copies the log
	}{
		{name: "pages of 512 bytes", make: made(512, "wal", tables)},
		{name: "pages of 4096 bytes", make: made(4096, "delete", tables)},
		{name: "pages of 8192 bytes", make: made(8192, "wal", tables)},
		{name: "pages of 65536 bytes", make: made(65536, "truncate", "")},
		{name: "auto vacuum", make: made(512, "delete; PRAGMA auto_vacuum=full", tables)},
		{name: "format of the file", make: func(t *testing.T, path string) string {
			made(4096, "wal", tables)(t, path)
			edit(t, path, func(b []byte) []byte { b[18], b[19] = 3, 3; return b })
			return path
		}},
		{name: "log of another format", make: func(t *testing.T, path string) string {
			made(4096, "wal", tables)(t, path)
			if err := os.WriteFile(path+"-wal", noise(1, 50_000), 0o600); err != nil {
				t.Fatal(err)
			}
			return path
		}},
		{name: "marked as damaged", make: func(t *testing.T, path string) string {
			damage(t, path)
			return made(4096, "wal", tables)(t, path)
		}},
		{name: "the version is in the log", inLog: true, make: func(t *testing.T, path string) string {
			s := openAt(t, path, Options{})
			err := s.submit(t.Context(), &job{read: func(c *committer) error { return c.db.exec(fmt.Sprint("PRAGMA user_version=", next)) }})
			if err != nil {
				t.Fatal(err)
			}
			return crash(t, s, path)
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := tt.make(t, filepath.Join(t.TempDir(), "queue.db"))
			before, _ := os.ReadFile(path)
			log, _ := os.ReadFile(path + "-wal")
			s, err := Open(t.Context(), path, Options{})
			if err == nil {
				s.Close(t.Context())
				t.Fatal("opened")
			}
			if text := fmt.Sprintf("schema version %d, this program knows %d", next, schemaVersion); !errors.Is(err, ErrNewer) || !strings.Contains(err.Error(), text) {
				t.Errorf("got %v", err)
			}
			after, _ := os.ReadFile(path)
			if logAfter, _ := os.ReadFile(path + "-wal"); !tt.inLog && (string(before) != string(after) || string(log) != string(logAfter)) {
				t.Error("the files were changed")
			}
			if aside, _ := filepath.Glob(path + ".corrupt-*"); len(aside) > 0 {
				t.Errorf("set aside as %s", aside)
			}
		})
	}
}
