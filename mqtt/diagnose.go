package mqtt

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"strings"
	"syscall"

	"github.com/fieldgate/fieldgate/mqtt/packet"
)

// A Diagnosis explains an error of a connection to the person who has to fix it. Its texts are in
// English and may change.
type Diagnosis struct {
	Cause  string // one sentence
	Remedy string // one sentence: what to do
	// Permanent is set if every attempt will fail in the same way until somebody changes something.
	// The client waits longer before the next one: see Backoff.
	Permanent bool
}

// Errors of a connection attempt, in Event.Err. They are wrapped: test with errors.Is.
var (
	// ErrNotMQTT5 means that the broker answered in the format of MQTT 3.1.1, or said that it does
	// not know version 5.
	ErrNotMQTT5 = errors.New("mqtt: broker does not speak MQTT 5")
	// ErrSilent means that the connection was made and stayed open, but no byte of an answer to
	// CONNECT arrived in time.
	ErrSilent = errors.New("mqtt: no answer to CONNECT")
	// ErrClosedAfterConnect means that the peer closed the connection after the CONNECT, without
	// any answer.
	ErrClosedAfterConnect = errors.New("mqtt: the connection was closed after CONNECT without an answer")
	// ErrCredentials means that Config.Credentials returned an error.
	ErrCredentials = errors.New("mqtt: credentials")
	// ErrALPN means that the broker chose none of the protocols that tls.Config.NextProtos has.
	ErrALPN = errors.New("the broker chose none of the protocols that were offered by ALPN")
)

// A ProtocolMismatch is the error of a connection attempt if what answered CONNECT is not an MQTT
// broker.
type ProtocolMismatch struct {
	Protocol string // "TLS", "HTTP", "SSH" and the like
	First    []byte // the first bytes that arrived
}

// Error implements error.
func (e *ProtocolMismatch) Error() string {
	return fmt.Sprintf("mqtt: the port speaks %s, not MQTT: the answer to CONNECT begins with %q", e.Protocol, e.First)
}

// greetings are how protocols other than MQTT begin. None is the begin of a packet that a broker
// may send first.
var greetings = []struct{ begin, protocol string }{
	{"\x15\x03", "TLS"}, {"\x16\x03", "TLS"}, {"HTTP", "HTTP"}, {"SSH-", "SSH"}, {"AMQP", "AMQP"}, {"RFB ", "VNC"}, {"220 ", "SMTP or FTP"},
	{"220-", "SMTP or FTP"}, {"+OK", "POP3 or Redis"}, {"-ERR", "Redis"}, {"* OK", "IMAP"},
}

// mismatch looks at the first bytes of a connection. It returns nil for what may be MQTT.
func mismatch(first []byte) error {
	for _, g := range greetings {
		if strings.HasPrefix(string(first), g.begin) {
			return &ProtocolMismatch{g.protocol, first}
		}
	}
	if len(first) < 4 {
		return nil
	}
	for _, b := range first[:4] {
		if (b < ' ' || b > '~') && b != '\r' && b != '\n' {
			return nil
		}
	}
	return &ProtocolMismatch{"a text protocol", first}
}

// CheckAnswer judges the answer to a CONNECT for programs that probe a port without a Client. first
// is the beginning of the answer, which may be empty, and err the error that ended reading it, nil
// if there was none. CheckAnswer returns ErrSilent if err is a timeout, ErrClosedAfterConnect for
// another error without an answer, a *ProtocolMismatch, or nil if the answer may be MQTT.
func CheckAnswer(first []byte, err error) error {
	switch {
	case len(first) > 0 && mayBeOtherProtocol(first[0]) && first[0] != byte(packet.CONNACK)<<4:
		return mismatch(first)
	case len(first) > 0 || err == nil:
		return nil
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%w: %w", ErrSilent, err)
	}
	return fmt.Errorf("%w: %w", ErrClosedAfterConnect, err)
}

// mayBeOtherProtocol reports whether an answer that begins with b may be in a protocol other than
// MQTT.
func mayBeOtherProtocol(b byte) bool { return b == 0x15 || b == 0x16 || b > ' ' && b <= '~' }

// Diagnose explains an error that ended a connection or prevented one: Event.Err, an error of
// Config.Dial or Config.TLS, or a *ReasonError. For nil it returns the zero Diagnosis.
func Diagnose(err error) Diagnosis {
	if err == nil {
		return Diagnosis{}
	}
	if re, ok := errors.AsType[*ReasonError](err); ok {
		return diagnoseReason(re)
	}
	d, known := diagnoseProxy(err)
	if !known {
		d, known = diagnosePeer(err)
	}
	if !known {
		d, known = diagnoseTLS(err)
	}
	if !known {
		d = diagnoseNetwork(err)
	}
	if d.Cause == "" {
		d.Cause = strings.TrimPrefix(err.Error(), "mqtt: ")
	}
	d.Permanent = d.Permanent || IsPermanent(err)
	return d
}

// diagnosePeer judges what is at the port.
func diagnosePeer(err error) (Diagnosis, bool) {
	if e, ok := errors.AsType[*ProtocolMismatch](err); ok {
		d := Diagnosis{Permanent: true, Cause: fmt.Sprintf("the port speaks %s, not MQTT (its answer begins with %q)", e.Protocol, e.First)}
		switch e.Protocol {
		case "TLS":
			d.Remedy = "use mqtts:// (or wss://) for this port, or the broker's port without TLS, usually 1883"
		case "HTTP":
			d.Remedy = "use ws:// if the broker has MQTT over WebSocket there, or the broker's MQTT port, usually 1883"
		default:
			d.Remedy = "use the broker's MQTT port: usually 1883, 8883 with TLS"
		}
		return d, true
	}
	switch {
	case errors.Is(err, ErrNotMQTT5):
		return Diagnosis{"the broker does not support MQTT 5.0", "update the broker, or allow MQTT 5.0 in its configuration; this client does not support older versions", true}, true
	case errors.Is(err, ErrSilent):
		return Diagnosis{Cause: "the port accepts connections but stays silent: no byte of an answer to CONNECT arrived",
			Remedy: "check that the port is the broker's MQTT port and not one for TLS (mqtts://), and whether a firewall or a proxy holds the connection"}, true
	case errors.Is(err, ErrClosedAfterConnect):
		return Diagnosis{Cause: "the connection is closed after CONNECT without an answer",
			Remedy: "check whether the broker knows MQTT 5.0 (RabbitMQ does from 3.13), whether the port is one for TLS (mqtts://), and whether the broker's policy allows this client id and will: see its log"}, true
	}
	return Diagnosis{}, false
}

// diagnoseReason judges a broker's reason code.
func diagnoseReason(e *ReasonError) Diagnosis {
	d := Diagnosis{Cause: "the broker refuses with " + e.Code.String(), Permanent: IsPermanent(e), Remedy: "ask the operator of the broker; its log says more"}
	if e.Packet == packet.DISCONNECT.String() {
		d.Cause = "the broker ended the connection with " + e.Code.String()
	}
	if e.Reason != "" {
		d.Cause += fmt.Sprintf(" (%q)", e.Reason)
	}
	switch e.Code {
	case packet.UnsupportedProtocolVersion:
		d.Cause, d.Remedy = "the broker does not support MQTT 5.0", "update the broker, or allow MQTT 5.0 in its configuration; this client does not support older versions"
	case packet.ClientIdentifierNotValid:
		d.Remedy = "the broker wants another client identifier"
	case packet.BadUserNameOrPassword:
		d.Remedy = "check the user name and the password"
	case packet.NotAuthorized:
		d.Remedy = "check the user name and the password, the client's certificate, and the broker's access list for this client identifier, its topics and its will"
	case packet.BadAuthenticationMethod:
		d.Remedy = "the broker wants another method of authentication"
	case packet.Banned:
		d.Remedy = "the broker has banned this client: ask its operator"
	case packet.ServerUnavailable, packet.ServerBusy, packet.ServerShuttingDown, packet.QuotaExceeded, packet.ConnectionRateExceeded, packet.MessageRateTooHigh:
		d.Remedy = "the broker is overloaded, restarts or limits clients: wait, or ask its operator"
	case packet.SessionTakenOver:
		d.Remedy = "another client uses the same client identifier: give each its own"
	case packet.PacketTooLarge:
		d.Remedy = "raise the broker's limit for packets, or send smaller messages"
	case packet.RetainNotSupported:
		d.Remedy = "the broker does not support retained messages: allow them there, or send without RETAIN"
	case packet.QoSNotSupported:
		d.Remedy = "the broker only supports a lower QoS: raise its maximum QoS to 1 at least"
	case packet.UseAnotherServer, packet.ServerMoved:
		d.Remedy = "the broker has moved: use its new address"
		if e.ServerReference != "" {
			d.Remedy += " " + e.ServerReference
		}
	}
	return d
}

// diagnoseTLS judges what TLS and its files say.
func diagnoseTLS(err error) (Diagnosis, bool) {
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return Diagnosis{"the broker's certificate is not signed by an authority that this machine trusts", "set the CA file to the certificate of that authority", true}, true
	}
	if e, ok := errors.AsType[x509.HostnameError](err); ok {
		return Diagnosis{fmt.Sprintf("the broker's certificate is not for %q", e.Host), "correct the host in the URL, or set the TLS server name", true}, true
	}
	if e, ok := errors.AsType[x509.CertificateInvalidError](err); ok {
		if e.Reason == x509.Expired {
			return Diagnosis{"the broker's certificate has expired or is not yet valid", "check this machine's clock (timedatectl) first, then renew the broker's certificate", false}, true
		}
		return Diagnosis{"the broker's certificate is not valid: " + e.Error(), "renew the broker's certificate", true}, true
	}
	if errors.Is(err, ErrALPN) {
		return Diagnosis{ErrALPN.Error(), "correct the ALPN protocols or the port: AWS IoT Core at port 443 takes x-amzn-mqtt-ca with a client certificate, and mqtt with a custom authorizer; most brokers need none", true}, true
	}
	if e, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		d := Diagnosis{"the port does not speak TLS", "use mqtt:// (or ws://) for this port, or the broker's TLS port, usually 8883", true}
		if found, ok := errors.AsType[*ProtocolMismatch](mismatch(e.RecordHeader[:])); ok && found.Protocol != "TLS" {
			d.Cause = fmt.Sprintf("the port does not speak TLS but %s", found.Protocol)
		}
		return d, true
	}
	text := err.Error()
	if alert := alertIn(text); alert != "" {
		return diagnoseAlert(alert), true
	}
	switch {
	case strings.Contains(text, "private key does not match public key"), strings.Contains(text, "private key type does not match public key type"):
		return Diagnosis{"the client's certificate and key do not belong together", "set a certificate and a key that belong together", true}, true
	case strings.Contains(text, "first record does not look like a TLS handshake"):
		return Diagnosis{"the port does not speak TLS", "use mqtt:// (or ws://) for this port, or the broker's TLS port, usually 8883", true}, true
	case strings.Contains(text, "tls: failed to find") || strings.Contains(text, "tls: failed to parse private key"):
		return Diagnosis{"the client's certificate or key is not a PEM file that TLS can use", "set the certificate and the key to PEM files, the key without a passphrase", true}, true
	}
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		d := Diagnosis{Cause: fmt.Sprintf("%s cannot be read: %v", e.Path, e.Err), Remedy: "check the path", Permanent: true}
		if errors.Is(err, fs.ErrPermission) {
			d.Remedy = "let the user of this process read it"
		}
		return d, true
	}
	if strings.Contains(text, "TLS with ") && (errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET)) {
		return Diagnosis{Cause: "the connection is closed during the TLS handshake",
			Remedy: "the port may not speak TLS (use mqtt://), or the broker wants a client certificate: see its log"}, true
	}
	return Diagnosis{}, false
}

// alertIn returns the TLS alert of the peer in an error's text, which crypto/tls gives no exported
// type.
func alertIn(text string) string {
	const mark = "remote error: tls: "
	_, alert, _ := strings.Cut(text, mark)
	return alert
}

func diagnoseAlert(alert string) Diagnosis {
	d := Diagnosis{Cause: "the broker ended TLS with the alert " + fmt.Sprintf("%q", alert), Permanent: true,
		Remedy: "the broker did not accept the TLS handshake: its log says why"}
	has := func(parts ...string) bool {
		for _, p := range parts {
			if strings.Contains(alert, p) {
				return true
			}
		}
		return false
	}
	switch {
	case has("certificate required"):
		d.Remedy = "the broker wants a client certificate signed by its CA: set the certificate and the key"
	case has("expired certificate"):
		d.Remedy = "the client's certificate has expired or is not yet valid: check this machine's clock, then renew the certificate"
	case has("revoked"):
		d.Remedy = "the client's certificate was revoked: get a new one"
	case has("unknown certificate authority"):
		d.Remedy = "the broker does not know who signed the client's certificate: use one signed by its CA"
	case has("bad certificate", "unknown certificate", "unsupported certificate"):
		d.Remedy = "the broker does not accept the client's certificate, or wants one: check the certificate and the key"
	case has("handshake failure"):
		d.Remedy = "the broker wants a client certificate or another version of TLS: check the certificate and the key, then the broker's log"
	case has("protocol version"):
		d.Remedy = "the broker does not support TLS 1.2: update it"
	case has("unrecognized name"):
		d.Remedy = "the broker does not know the host name: correct the host in the URL, or set the TLS server name"
	}
	return d
}

// diagnoseProxy judges what a proxy says, and the way to it.
func diagnoseProxy(err error) (Diagnosis, bool) {
	e, ok := errors.AsType[*ProxyError](err)
	if !ok {
		return Diagnosis{}, false
	}
	d := Diagnosis{Cause: e.Error()}
	switch {
	case errors.Is(err, ErrProxyAuth):
		d.Remedy, d.Permanent = "check the proxy's user name and password", true
	case errors.Is(err, ErrProxyRefused):
		d.Remedy = "the proxy has to allow connections to the broker's host and port, and to reach it: ask its operator"
	case errors.Is(err, ErrNotProxy):
		d.Remedy, d.Permanent = "check the proxy's address, and whether it is an HTTP proxy (http://) or a SOCKS5 proxy (socks5://); a network may also want a log-in first", true
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, syscall.ETIMEDOUT), errors.Is(err, io.EOF),
		errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET):
		d.Cause = "the proxy " + e.Proxy + " does not answer"
		d.Remedy = "check the proxy's address, and whether it is an HTTP proxy (http://) or a SOCKS5 proxy (socks5://)"
	default: // the proxy was not reached
		d = diagnoseNetwork(e.Err)
		d.Cause = "the proxy " + e.Proxy + " is not reached: " + d.Cause
		d.Remedy = "check the proxy's address and port, and that it runs"
	}
	return d, true
}

// diagnoseNetwork judges how far the way to the broker goes.
func diagnoseNetwork(err error) Diagnosis {
	if e, ok := errors.AsType[*net.DNSError](err); ok {
		return Diagnosis{Cause: fmt.Sprintf("the name %q cannot be looked up: %s", e.Name, e.Err),
			Remedy: "check the host in the URL, the DNS servers (resolvectl status) and the routes (ip route)"}
	}
	switch {
	case errors.Is(err, ErrCredentials):
		return Diagnosis{Remedy: "nothing was sent to the broker: the credentials have to be got first"}
	case errors.Is(err, syscall.ECONNREFUSED):
		return Diagnosis{Cause: "nothing listens at the port", Remedy: "check that the broker is running, and its port: usually 1883, 8883 with TLS"}
	case errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EHOSTUNREACH):
		return Diagnosis{Cause: "there is no route to the broker's network", Remedy: "check this machine's addresses and routes (ip addr, ip route)"}
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, syscall.ETIMEDOUT):
		return Diagnosis{Cause: "the broker does not answer", Remedy: "a firewall may drop the packets, or the address is wrong"}
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return Diagnosis{Cause: "the broker or the network closed the connection", Remedy: "if it happens again and again, the broker's log says why"}
	}
	return Diagnosis{Remedy: "check the URL and that the broker is running"}
}
