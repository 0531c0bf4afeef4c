package mqtt

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// A proxyProtocol is how to ask a proxy for a connection to address. The handshake takes nothing
// from the connection that belongs to what follows; the caller closes the connection to end a wait.
type proxyProtocol struct {
	port      string // if its URL has none
	handshake func(nc net.Conn, address string, user *url.Userinfo) error
}

var proxies = map[string]proxyProtocol{
	"http":   {"80", httpConnect},
	"socks5": {"1080", socks5},
}

// maxProxyHeader is the longest answer of an HTTP proxy, in bytes.
const maxProxyHeader = 16 << 10

// httpConnect asks an HTTP proxy (RFC 9110, 9.3.6).
func httpConnect(nc net.Conn, address string, user *url.Userinfo) error {
	request := "CONNECT " + address + " HTTP/1.1\r\nHost: " + address + "\r\n"
	if user != nil {
		password, _ := user.Password()
		request += "Proxy-Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(user.Username()+":"+password)) + "\r\n"
	}
	if _, err := io.WriteString(nc, request+"\r\n"); err != nil {
		return err
	}
	var header []byte
	for !strings.HasSuffix(string(header[max(0, len(header)-4):]), "\r\n\r\n") {
		if len(header) == maxProxyHeader {
			return fmt.Errorf("the answer to CONNECT is longer than %d bytes", maxProxyHeader)
		}
		var one [1]byte
		if _, err := io.ReadFull(nc, one[:]); err != nil {
			return fmt.Errorf("waiting for the answer to CONNECT: %w", err)
		}
		header = append(header, one[0])
	}
	status, _, _ := strings.Cut(string(header), "\r\n")
	version, rest, _ := strings.Cut(status, " ")
	switch {
	case !strings.HasPrefix(version, "HTTP/1."):
		return fmt.Errorf("it answers %.80q, which is not HTTP", status)
	case strings.HasPrefix(rest, "2"):
		return nil
	case strings.HasPrefix(rest, "407"):
		return errors.New("it wants a user name and a password: put them into its URL, or check them")
	}
	return fmt.Errorf("it refused CONNECT %s: %.80q", address, status)
}

// Numbers of SOCKS5 (RFC 1928, RFC 1929).
const (
	socksVersion   = 5
	socksNoAuth    = 0
	socksPassword  = 2
	socksConnect   = 1
	socksIPv4      = 1
	socksName      = 3
	socksIPv6      = 4
	socksPasswordV = 1
)

var socksErrors = [...]string{
	1: "general failure", 2: "not allowed by its rules", 3: "network unreachable", 4: "host unreachable",
	5: "connection refused", 6: "TTL expired", 7: "command not supported", 8: "address type not supported",
}

// socks5 asks a SOCKS5 proxy, which resolves the name.
func socks5(nc net.Conn, address string, user *url.Userinfo) error {
	var in [2]byte
	exchange := func(out []byte) error {
		if _, err := nc.Write(out); err != nil {
			return err
		}
		if _, err := io.ReadFull(nc, in[:]); err != nil {
			return fmt.Errorf("waiting for its answer: %w", err)
		}
		return nil
	}
	method := byte(socksNoAuth)
	if user != nil {
		method = socksPassword
	}
	if err := exchange([]byte{socksVersion, 1, method}); err != nil {
		return err
	}
	if in[0] != socksVersion {
		return errors.New("it does not speak SOCKS5")
	}
	if in[1] != method {
		if user == nil {
			return errors.New("it wants a user name and a password: put them into its URL")
		}
		return errors.New("it takes no user name and password: remove them from its URL")
	}
	if user != nil {
		password, _ := user.Password()
		if len(user.Username()) > 255 || len(password) > 255 {
			return errors.New("user name or password is longer than 255 bytes")
		}
		b := append([]byte{socksPasswordV, byte(len(user.Username()))}, user.Username()...)
		if err := exchange(append(append(b, byte(len(password))), password...)); err != nil {
			return err
		}
		if in[1] != 0 {
			return errors.New("it does not accept the user name and the password")
		}
	}
	request, err := socksAddress([]byte{socksVersion, socksConnect, 0}, address)
	if err != nil {
		return err
	}
	if err := exchange(request); err != nil {
		return err
	}
	if code := int(in[1]); code != 0 {
		reason := fmt.Sprintf("code %d", code)
		if code < len(socksErrors) {
			reason = socksErrors[code]
		}
		return fmt.Errorf("it does not connect to %s: %s", address, reason)
	}
	return skipSocksAddress(nc)
}

// socksAddress appends an address in the form of RFC 1928, 5.
func socksAddress(b []byte, address string) ([]byte, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return nil, fmt.Errorf("port %q: %w", port, err)
	}
	ip, err := netip.ParseAddr(host)
	switch {
	case err == nil && ip.Is4():
		b = append(append(b, socksIPv4), ip.AsSlice()...)
	case err == nil:
		b = append(append(b, socksIPv6), ip.AsSlice()...)
	case len(host) > 255:
		return nil, fmt.Errorf("host name of %d bytes, at most 255", len(host))
	default:
		b = append(append(b, socksName, byte(len(host))), host...)
	}
	return binary.BigEndian.AppendUint16(b, uint16(number)), nil
}

// skipSocksAddress reads what is left of the answer: the address that the proxy is bound to, which
// is useless.
func skipSocksAddress(r io.Reader) error {
	var head [3]byte // reserved, type, first byte of the address or its length
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return fmt.Errorf("waiting for its answer: %w", err)
	}
	length := 0
	switch head[1] {
	case socksIPv4:
		length = net.IPv4len - 1
	case socksIPv6:
		length = net.IPv6len - 1
	case socksName:
		length = int(head[2])
	default:
		return fmt.Errorf("it answers with address type %d", head[1])
	}
	if _, err := io.CopyN(io.Discard, r, int64(length)+2); err != nil {
		return fmt.Errorf("waiting for its answer: %w", err)
	}
	return nil
}
