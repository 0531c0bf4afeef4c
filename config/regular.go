package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
)

// ErrIrregular says that a file is not a regular one, or is too large.
var ErrIrregular = errors.New("not a regular file of a reasonable size")

// ReadFile returns the content of a regular file of at most max bytes. Anything else that somebody
// put in its place could block the program for ever or fill its memory. Its error names the file.
func ReadFile(name string, max int64) ([]byte, error) {
	if info, err := os.Stat(name); err == nil { // opening a device can be an act of its own
		if err := check(info, max); err != nil {
			return nil, named(name, err)
		}
	}
	f, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err == nil {
		err = check(info, max)
	}
	if err != nil {
		return nil, named(name, err)
	}
	text, err := io.ReadAll(io.LimitReader(f, max+1))
	if err == nil && int64(len(text)) > max {
		err = tooLarge(max)
	}
	if err != nil {
		return nil, named(name, err)
	}
	return text, nil
}

// named gives an error the file, if it has none.
func named(name string, err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return err
	}
	return fmt.Errorf("%s: %w", name, err)
}

func check(info fs.FileInfo, max int64) error {
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%w: it is %s", ErrIrregular, kind(info.Mode()))
	}
	if info.Size() > max {
		return tooLarge(max)
	}
	return nil
}

func tooLarge(max int64) error {
	return fmt.Errorf("%w: it is larger than %d KiB", ErrIrregular, max>>10)
}

// kind says what a file is.
func kind(mode fs.FileMode) string {
	switch {
	case mode.IsDir():
		return "a directory"
	case mode&fs.ModeNamedPipe != 0:
		return "a named pipe"
	case mode&fs.ModeSocket != 0:
		return "a socket"
	case mode&fs.ModeDevice != 0:
		return "a device"
	}
	return "something else"
}
