// Image builds the container image: an OCI layout with an image for every platform, from the static
// binaries of `make cross`. It is a module of its own, so that the gateway's has nothing of it, and
// needs no daemon and no rights.
//
// The same binaries, version and date of commit, and the same version of Debian's ca-certificates
// make the same bytes: the digest, which it prints, says what an image was made of.
package main

import (
	"flag"
	"fmt"
	"os"
	"time"
)

func main() {
	b := build{}
	var created string
	flag.StringVar(&b.dist, "dist", "dist", "folder with linux-*/fieldgate")
	flag.StringVar(&b.out, "out", "dist/image", "folder of the OCI layout, which is replaced")
	flag.StringVar(&b.roots, "roots", "/usr/share/ca-certificates/mozilla", "folder with the certificates to trust, *.crt: of the package alone, not of this machine")
	flag.StringVar(&b.version, "version", "dev", "version of the program")
	flag.StringVar(&created, "created", "", "date of the commit, RFC 3339")
	flag.Parse()
	err := func() (err error) {
		if b.created, err = time.Parse(time.RFC3339, created); err != nil {
			return err
		}
		digest, err := b.write()
		if err == nil {
			fmt.Println(b.out, digest)
		}
		return err
	}()
	if err != nil {
		fmt.Fprintln(os.Stderr, "image:", err)
		os.Exit(1)
	}
}
