// Package bus opens this machine's I2C buses and serial ports, connections to devices, and programs
// that measure; no other package does. (What the kernel shares out itself, files of sysfs and GPIO
// pins, the drivers of these open.) Host implements drivers.Buses, and what it hands out is
// periph's i2c.Bus or a drivers.Port, so that drivers know nothing of the machine.
//
// # I2C
//
// A transfer is one I2C_RDWR ioctl of Linux's i2c-dev. The one in periph.io/x/host keeps the
// addresses of its buffers in integers while it calls other functions; when the goroutine's stack
// grows there, the kernel is given stale ones (EINVAL, or a reply written into memory that is
// something else by now). Here the messages are part of the bus, with pointers in them, and the
// only conversion is in the call of the kernel. The error keeps the errno, and says what it means
// for the operator.
//
// Linux lets a program transfer to a chip that a kernel driver is using, and both then read
// nonsense; the first transfer to an address looks whether it is taken.
//
// A bus on which nothing gets through is left alone for a growing time, and that is logged once:
// otherwise each of its sensors would block for up to a second in each of its tries. Adapters are
// not bound again: that needs root, and takes the bus from the kernel's drivers too.
//
// Host.RegisterI2C enters the buses in periph's registry, for programs that bring drivers of
// periph's along.
//
// # Serial
//
// go.bug.st/serial sets the line up, which it does well, but no byte goes through it: its Write
// after Close reaches whatever file has the number now, its Read panics at a file number of 1024
// and more, a Write that blocks is not released by Close, and a timeout is (0, nil), on which
// io.ReadFull spins. Bytes go through an os.File in non-blocking mode, which has none of this, and
// deadlines for both directions.
//
// A port is one sensor's, or, if the mode says so (Modbus), that of all sensors that ask for it by
// the same name and with the same mode; it is closed with the last of them. They take turns by a
// lock that is not this package's, which goes by the name. A USB adapter can be named by its
// vendor, product and serial number; what device file that is, is looked up at each opening. A port
// that another program has open is refused with that program's name, also to root, whom the kernel
// would let in.
//
// # Network
//
// A connection is a port too, and can be shared in the same way: many devices and gateways take few
// of them. A peer that is gone without a word is noticed after ten seconds. Many devices close
// connections on which nobody asks: the connection opens itself again for the next Write, and
// sends a Write once more to which not a byte was answered.
//
// # Programs
//
// What a program prints is a port as well. It is started and killed here, with all that it has
// started itself (unless that has left its process group), and its output is always taken.
//
// # Loss
//
// When an adapter is unplugged, its bus closes the device file, since the kernel keeps the number
// of a file that is open and the adapter would come back under another name. From then on every
// call fails with an error that is os.ErrClosed. Asking the Host for the bus opens it again.
package bus
