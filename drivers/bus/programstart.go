package bus

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
)

// explainStart says why a program could not be started, and what to do. The kernel has one errno
// for a file that is missing and for a script whose interpreter is.
func explainStart(file string, err error) error {
	first := firstLine(file)
	interpreter, isScript := bytes.CutPrefix(first, []byte("#!"))
	switch {
	case errors.Is(err, syscall.ENOENT) && isOfWindows(first):
		return fmt.Errorf("%s: %w", convert(file), err)
	case errors.Is(err, syscall.ENOENT) && isScript:
		return fmt.Errorf("it is a script, and there is no program %q, which its first line names: %w", bytes.TrimSpace(interpreter), err)
	case errors.Is(err, syscall.ENOENT) && first != nil:
		return fmt.Errorf("it is there, but not the loader or libraries that it needs: is it for this system? %w", err)
	case errors.Is(err, syscall.ENOENT):
		return fmt.Errorf("there is no such file: %w", err)
	case errors.Is(err, syscall.ENOEXEC) && isText(first):
		return fmt.Errorf("it is a text that does not begin with the path of its interpreter, such as #!/bin/sh or #!/usr/bin/env python3: %w", err)
	case errors.Is(err, syscall.ENOEXEC):
		return fmt.Errorf("it is not a program for this processor: %w", err)
	case errors.Is(err, syscall.EACCES):
		if info, statErr := os.Stat(file); statErr == nil && info.IsDir() {
			return fmt.Errorf("it is a folder: %w", err)
		} else if statErr == nil && info.Mode()&0o111 == 0 {
			return fmt.Errorf("it is not executable: chmod +x %s: %w", file, err)
		}
		return fmt.Errorf("the user with id %d may not run it: are it and its folders readable and executable for that user, and may programs be run from there? %w", os.Geteuid(), err)
	}
	return err
}

// adviceOnScript says why a script may have ended with the status of a shell, or of env, for a
// program that is not there; "" if it is not clear.
func adviceOnScript(file string, status int) string {
	if status == 127 && isOfWindows(firstLine(file)) {
		return ": " + convert(file)
	}
	return ""
}

// isOfWindows reports whether the first line of a script ends with CR LF, which makes a name that
// no interpreter has.
func isOfWindows(line []byte) bool {
	return bytes.HasPrefix(line, []byte("#!")) && bytes.HasSuffix(line, []byte("\r"))
}

func convert(file string) string {
	return fmt.Sprintf("its lines end with CR LF, as on Windows: convert it (sed -i 's/\\r$//' %s)", file)
}

// firstLine returns the beginning of a file, nil if it cannot be read.
func firstLine(file string) []byte {
	if info, err := os.Stat(file); err != nil || !info.Mode().IsRegular() {
		return nil
	}
	f, err := os.Open(file)
	if err != nil {
		return nil
	}
	defer f.Close()
	line := make([]byte, 128)
	n, err := io.ReadFull(f, line)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return nil
	}
	line, _, _ = bytes.Cut(line[:n], []byte("\n"))
	return line
}

func isText(line []byte) bool {
	return len(line) > 0 && bytes.IndexFunc(line, func(r rune) bool { return r < '\t' || r == 0xfffd }) < 0
}
