package gpio

import (
	"errors"
	"os"
	"path/filepath"

	"github.com/warthog618/go-gpiocdev/uapi"
	"golang.org/x/sys/unix"
)

// A kernel is how pins are asked for and used. Numbers of files are those of chips and of requests.
type kernel interface {
	chips() []string // device files
	open(file string) (fd int, err error)
	close(fd int) error
	chipInfo(chip int) (uapi.ChipInfo, error)
	lineInfo(chip, line int) (uapi.LineInfoV2, error)
	request(chip int, r *uapi.LineRequest) error // leaves the request's file in r
	configure(request int, c *uapi.LineConfig) error
	get(request int, v *uapi.LineValues) error
	set(request int, v uapi.LineValues) error
	read(request int, events []byte) (int, error) // EAGAIN if there are none
}

// linux is the real one.
type linux struct{}

func (linux) chips() []string {
	files, _ := filepath.Glob("/dev/gpiochip*")
	return files
}

func (linux) open(file string) (int, error) {
	fd, err := unix.Open(file, unix.O_RDWR|unix.O_CLOEXEC, 0)
	return fd, os.NewSyscallError("open", err)
}

func (linux) close(fd int) error { return os.NewSyscallError("close", unix.Close(fd)) }

func (linux) chipInfo(chip int) (uapi.ChipInfo, error) {
	info, err := uapi.GetChipInfo(uintptr(chip))
	return info, os.NewSyscallError("GPIO_GET_CHIPINFO", err)
}

func (linux) lineInfo(chip, line int) (uapi.LineInfoV2, error) {
	info, err := uapi.GetLineInfoV2(uintptr(chip), line)
	return info, os.NewSyscallError("GPIO_V2_GET_LINEINFO", err)
}

func (linux) request(chip int, r *uapi.LineRequest) error {
	if err := uapi.GetLine(uintptr(chip), r); err != nil {
		return os.NewSyscallError("GPIO_V2_GET_LINE", err)
	}
	if err := unix.SetNonblock(int(r.Fd), true); err != nil {
		return errors.Join(os.NewSyscallError("fcntl", err), unix.Close(int(r.Fd)))
	}
	return nil
}

func (linux) configure(request int, c *uapi.LineConfig) error {
	return os.NewSyscallError("GPIO_V2_LINE_SET_CONFIG", uapi.SetLineConfigV2(uintptr(request), c))
}

func (linux) get(request int, v *uapi.LineValues) error {
	return os.NewSyscallError("GPIO_V2_LINE_GET_VALUES", uapi.GetLineValuesV2(uintptr(request), v))
}

func (linux) set(request int, v uapi.LineValues) error {
	return os.NewSyscallError("GPIO_V2_LINE_SET_VALUES", uapi.SetLineValuesV2(uintptr(request), v))
}

func (linux) read(request int, events []byte) (int, error) {
	for {
		n, err := unix.Read(request, events)
		if err != unix.EINTR {
			return n, os.NewSyscallError("read", err)
		}
	}
}
