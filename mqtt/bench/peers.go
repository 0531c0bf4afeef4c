package main

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/fieldgate/fieldgate/mqtt/packet"
)

const (
	certificateFile = "cert.pem"
	keyFile         = "key.pem"
)

// A process is a broker that runs beside the publishers, so that what is counted in this process is
// theirs alone.
type process struct {
	cmd    *exec.Cmd
	target target
}

func (p *process) stop() {
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
}

// startPeer runs this program as the peer that does nothing but acknowledge.
func startPeer(dir string, window int, withTLS bool) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	certificates := ""
	if withTLS {
		certificates = dir
	}
	cmd := exec.Command(self, "-peer", fmt.Sprintf("%d,%s", window, certificates))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &process{cmd: cmd}
	port, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		p.stop()
		return nil, fmt.Errorf("the peer did not start: %w", err)
	}
	p.describe("fake peer", dir, strings.TrimSpace(port), window, withTLS)
	return p, nil
}

func (p *process) describe(name, dir, port string, window int, withTLS bool) {
	p.target = target{name: fmt.Sprintf("%s, window %d", name, window), window: window, url: localURL(withTLS, port)}
	if withTLS {
		p.target.name += ", TLS"
		p.target.roots = filepath.Join(dir, certificateFile)
	}
}

// servePeer is what the program does as the peer. It prints its port.
func servePeer(mode string) error {
	number, dir, _ := strings.Cut(mode, ",")
	window, err := strconv.ParseUint(number, 10, 16)
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	if dir != "" {
		pair, err := tls.LoadX509KeyPair(filepath.Join(dir, certificateFile), filepath.Join(dir, keyFile))
		if err != nil {
			return err
		}
		l = tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{pair}})
	}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	fmt.Println(port)
	for {
		nc, err := l.Accept()
		if err != nil {
			return err
		}
		go acknowledge(nc, uint16(window))
	}
}

// acknowledge is the peer of a connection that accepts everything and does nothing but acknowledge:
// what one read brought with one write.
func acknowledge(nc net.Conn, receiveMaximum uint16) {
	defer nc.Close()
	buf := make([]byte, 256<<10)
	var out []byte
	filled := 0
	for {
		n, err := nc.Read(buf[filled:])
		if err != nil {
			return
		}
		filled += n
		b := buf[:filled]
		out = out[:0]
		for {
			h, size, _ := packet.DecodeHeader(b)
			if size == 0 || len(b) < size+h.Length {
				break
			}
			body := b[size : size+h.Length]
			b = b[size+h.Length:]
			switch {
			case h.Type == packet.CONNECT:
				a := packet.Connack{Properties: packet.Properties{Present: packet.Props(packet.PropReceiveMaximum), ReceiveMaximum: receiveMaximum}}
				out = a.Append(out)
			case h.Type == packet.PUBLISH && h.Flags&6 == 2:
				id := body[2+binary.BigEndian.Uint16(body):]
				out = append(out, byte(packet.PUBACK)<<4, 2, id[0], id[1])
			}
		}
		filled = copy(buf, b)
		if _, err := nc.Write(out); err != nil {
			return
		}
	}
}

// localURL returns the URL of a listener of this machine.
func localURL(withTLS bool, port string) *url.URL {
	u := &url.URL{Scheme: "mqtt", Host: net.JoinHostPort("127.0.0.1", port)}
	if withTLS {
		u.Scheme = "mqtts"
	}
	return u
}

// startMosquitto runs mosquitto with the given Receive Maximum.
func startMosquitto(dir string, window int, withTLS bool) (*process, error) {
	program, err := exec.LookPath("mosquitto")
	if err != nil {
		program = "/usr/sbin/mosquitto" // not in everybody's PATH
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	l.Close()
	config := fmt.Sprintf("allow_anonymous true\nmax_inflight_messages %d\nlog_type none\nlistener %s 127.0.0.1\n", window, port)
	if os.Geteuid() == 0 {
		config = "user root\n" + config
	}
	if withTLS {
		config += fmt.Sprintf("certfile %s\nkeyfile %s\n", filepath.Join(dir, certificateFile), filepath.Join(dir, keyFile))
	}
	file := filepath.Join(dir, "mosquitto.conf")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		return nil, err
	}
	p := &process{cmd: exec.Command(program, "-c", file)}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	p.describe("mosquitto", dir, port, window, withTLS)
	for range 500 {
		nc, err := net.Dial("tcp", p.target.url.Host)
		if err == nil {
			nc.Close()
			return p, nil
		}
		time.Sleep(10 * time.Millisecond)
	}
	p.stop()
	return nil, errors.New("mosquitto does not listen")
}

// writeCertificate makes a certificate for this machine.
func writeCertificate(dir string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return err
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	return errors.Join(
		os.WriteFile(filepath.Join(dir, certificateFile), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600),
		os.WriteFile(filepath.Join(dir, keyFile), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}), 0o600))
}
