package main

/*
#include <stdlib.h>
#include <stdint.h>

// The library is the one in go-sqlite3; it has no header to include.
typedef struct sqlite3 sqlite3;
typedef struct sqlite3_stmt sqlite3_stmt;
int sqlite3_open(const char *, sqlite3 **);
int sqlite3_close(sqlite3 *);
int sqlite3_exec(sqlite3 *, const char *, void *, void *, void *);
int sqlite3_prepare_v2(sqlite3 *, const char *, int, sqlite3_stmt **, void *);
int sqlite3_bind_blob(sqlite3_stmt *, int, const void *, int, void *);
int sqlite3_step(sqlite3_stmt *);
int sqlite3_reset(sqlite3_stmt *);
int sqlite3_finalize(sqlite3_stmt *);

static sqlite3 *bare;
static sqlite3_stmt *begin_, *insert_, *commit_;

static int bare_open(const char *path) {
	const char *setup = "PRAGMA page_size=4096; PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
		"PRAGMA cache_size=-512; CREATE TABLE q(id INTEGER PRIMARY KEY, body BLOB)";
	int rc = sqlite3_open(path, &bare);
	if (!rc) rc = sqlite3_exec(bare, setup, 0, 0, 0);
	if (!rc) rc = sqlite3_prepare_v2(bare, "BEGIN IMMEDIATE", -1, &begin_, 0);
	if (!rc) rc = sqlite3_prepare_v2(bare, "INSERT INTO q(body) VALUES(?)", -1, &insert_, 0);
	if (!rc) rc = sqlite3_prepare_v2(bare, "COMMIT", -1, &commit_, 0);
	return rc;
}

static int step(sqlite3_stmt *s) {
	int rc = sqlite3_step(s);
	sqlite3_reset(s);
	return rc == 101 ? 0 : rc;
}

// bare_add commits n readings in groups; those of bodies come round, offsets has one more than
// there are.
static int bare_add(const char *bodies, const int32_t *offsets, int count, int n, int group) {
	int rc = 0;
	for (int i = 0; i < n && !rc; i++) {
		if (i % group == 0) rc = step(begin_);
		int j = i % count;
		if (!rc) rc = sqlite3_bind_blob(insert_, 1, bodies + offsets[j], offsets[j + 1] - offsets[j], 0);
		if (!rc) rc = step(insert_);
		if (!rc && (i + 1) % group == 0) rc = step(commit_);
	}
	return rc;
}

static int bare_close(void) {
	sqlite3_finalize(begin_);
	sqlite3_finalize(insert_);
	sqlite3_finalize(commit_);
	return sqlite3_close(bare);
}
*/
import "C"

import (
	"bytes"
	"fmt"
	"time"
	"unsafe"
)

// insertRows commits n readings in groups, as rows, in one loop in C, and returns the seconds that
// took.
func insertRows(path string, bodies [][]byte, n, group int) (float64, error) {
	text := bytes.Join(bodies, nil)
	offsets := []C.int32_t{0}
	for i, b := range bodies {
		offsets = append(offsets, offsets[i]+C.int32_t(len(b)))
	}
	name := C.CString(path)
	defer C.free(unsafe.Pointer(name))
	if rc := C.bare_open(name); rc != 0 {
		return 0, fmt.Errorf("SQLite: opening: code %d", rc)
	}
	start := time.Now()
	rc := C.bare_add((*C.char)(unsafe.Pointer(&text[0])), &offsets[0], C.int(len(bodies)), C.int(n), C.int(group))
	took := time.Since(start).Seconds()
	if rc != 0 {
		return 0, fmt.Errorf("SQLite: inserting: code %d", rc)
	}
	if rc := C.bare_close(); rc != 0 {
		return 0, fmt.Errorf("SQLite: closing: code %d", rc)
	}
	return took, nil
}
