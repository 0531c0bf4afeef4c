package main

import (
	"encoding/csv"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// postgres is a real PostgreSQL with a cluster of its own, on a free loopback port. It runs as an
// unprivileged user, as it demands.
type postgres struct {
	t    *testing.T
	bin  string
	dir  string
	port string
	as   *syscall.SysProcAttr
	env  []string
}

// newPostgres starts the server with an empty database fg, or skips.
func newPostgres(t *testing.T) *postgres {
	t.Helper()
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if len(found) == 0 {
		t.Skip("PostgreSQL is not installed: NOTHING IS PROVEN of the archive in PostgreSQL; apt-get install postgresql")
	}
	slices.Sort(found)
	p := &postgres{t: t, bin: filepath.Dir(found[len(found)-1])}
	if os.Geteuid() == 0 {
		needOther(t)
		u, err := user.Lookup("nobody")
		if err != nil {
			t.Fatal(err)
		}
		uid, err := strconv.Atoi(u.Uid)
		if err != nil {
			t.Fatal(err)
		}
		p.as = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(uid)}}
	}
	// t.TempDir lies in a folder that only this user may enter.
	dir, err := os.MkdirTemp("/tmp", "fieldgate-pg-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if p.as != nil {
		if err := os.Chown(dir, int(p.as.Credential.Uid), int(p.as.Credential.Gid)); err != nil {
			t.Fatal(err)
		}
	}
	p.dir = dir
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, p.port, err = net.SplitHostPort(l.Addr().String())
	l.Close()
	if err != nil {
		t.Fatal(err)
	}
	p.env = append(os.Environ(), "PGHOST="+dir, "PGPORT="+p.port, "PGUSER=fg", "LC_ALL=C.UTF-8", "HOME="+dir)
	p.command("initdb", "-D", dir+"/data", "-U", "fg", "-A", "trust", "-E", "UTF8", "--no-sync")
	p.start()
	t.Cleanup(p.stop)
	p.command("createdb", "fg")
	return p
}

func (p *postgres) command(name string, args ...string) string {
	p.t.Helper()
	cmd := exec.Command(filepath.Join(p.bin, name), args...)
	cmd.Dir, cmd.Env, cmd.SysProcAttr = p.dir, p.env, p.as
	out, err := cmd.CombinedOutput()
	if err != nil {
		log, _ := os.ReadFile(p.dir + "/log")
		p.t.Fatalf("%s: %v\n%s%s", name, err, out, log)
	}
	return string(out)
}

func (p *postgres) start() {
	p.t.Helper()
	p.command("pg_ctl", "-D", p.dir+"/data", "-l", p.dir+"/log", "-w", "-o", fmt.Sprintf("-p %s -k %s -h 127.0.0.1 -c fsync=off", p.port, p.dir), "start")
}

func (p *postgres) stop() { p.command("pg_ctl", "-D", p.dir+"/data", "-m", "immediate", "-w", "stop") }

// crash ends the server while somebody writes to a table: the writer waits for a lock, and its
// connection breaks without a word.
func (p *postgres) crash(table string) {
	p.t.Helper()
	eventually(p.t, 30*time.Second, "the table "+table+" is there", func() bool {
		rows, err := p.rows("SELECT to_regclass('" + table + "')")
		return err == nil && rows[0][0] != null
	})
	lock := exec.Command(filepath.Join(p.bin, "psql"), "-X", "-q", "-d", "fg", "-c", "BEGIN; LOCK TABLE "+table+"; SELECT pg_sleep(60)")
	lock.Env = p.env
	if err := lock.Start(); err != nil {
		p.t.Fatal(err)
	}
	defer func() { _ = lock.Wait() }() // it ends with the server
	var pid int
	eventually(p.t, 30*time.Second, "a writer waits for "+table, func() bool {
		rows, err := p.rows("SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
		if err != nil || len(rows) == 0 {
			return false
		}
		pid, err = strconv.Atoi(rows[0][0])
		return err == nil
	})
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		p.t.Error(err)
	}
	p.stop()
}

// dsn is the connection string, as libpq takes it.
func (p *postgres) dsn() string { return "host=127.0.0.1 port=" + p.port + " user=fg dbname=fg" }

// null is what rows gives for NULL.
const null = "\\N"

// rows runs statements and returns the rows, without the names of the columns.
func (p *postgres) rows(text string) ([][]string, error) {
	cmd := exec.Command(filepath.Join(p.bin, "psql"), "-X", "-q", "-t", "--csv", "-v", "ON_ERROR_STOP=1", "-P", "null="+null, "-d", "fg")
	cmd.Env, cmd.Stdin = p.env, strings.NewReader(text)
	var said strings.Builder
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("psql: %w: %s", err, said.String())
	}
	r := csv.NewReader(strings.NewReader(string(out)))
	r.FieldsPerRecord = -1
	return r.ReadAll()
}

// must is rows of what has to work.
func (p *postgres) must(text string) [][]string {
	p.t.Helper()
	rows, err := p.rows(text)
	if err != nil {
		p.t.Fatalf("%v\n%.2000s", err, text)
	}
	return rows
}
