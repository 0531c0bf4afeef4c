package doctor

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"syscall"
	"time"

	"github.com/fieldgate/fieldgate/config"
	"github.com/fieldgate/fieldgate/internal/credential"
	"github.com/fieldgate/fieldgate/mqtt/packet"
)

// A problem is an error with its remedy.
type problem struct {
	err    error
	remedy string
}

// broker tries each URL of the broker as far as the CONNACK.
func (p *Patient) broker(ctx context.Context) []Check {
	if p.Running != nil {
		link := p.Running.Health.Link
		if link.Connected {
			return []Check{{"broker", OK, "the gateway is connected to " + p.Running.Broker, ""}}
		}
		return []Check{{"broker", Fail, "the gateway is not connected: " + link.Error, "stop the gateway and run doctor again: it then tries the connection step by step"}}
	}
	var checks []Check
	good := false
	for _, s := range p.Config.MQTT.URLs {
		c := Check{Subject: "broker " + s, Level: OK}
		begin := time.Now()
		if wrong := p.connect(ctx, s); wrong != nil {
			c.Level, c.Detail, c.Remedy = Fail, wrong.err.Error(), wrong.remedy
		} else {
			c.Detail = fmt.Sprintf("it accepts this gateway, in %v", time.Since(begin).Round(time.Millisecond))
			good = true
		}
		checks = append(checks, c)
	}
	for i := range checks {
		if good && checks[i].Level == Fail { // the gateway takes another
			checks[i].Level = Warn
		}
	}
	return checks
}

// step is how long each of the steps to a broker may take.
const step = 10 * time.Second

func (p *Patient) connect(ctx context.Context, s string) *problem {
	ctx, cancel := context.WithTimeout(ctx, 3*step)
	defer cancel()
	u, err := url.Parse(s)
	if err != nil {
		return &problem{err, "correct mqtt.urls"}
	}
	if wrong := resolve(ctx, u); wrong != nil {
		return wrong
	}
	m := p.Config.MQTT
	cfg, err := credential.TLS(m.TLS, func() time.Time { return p.Now })
	if err != nil {
		return &problem{err, "check the file and who may read it: the service's user must"}
	}
	password, err := credential.Password(m)
	if err != nil {
		return &problem{err, passwordRemedy(m)}
	}
	conn, err := p.Dial(ctx, u, cfg)
	if err != nil {
		return &problem{err, dialRemedy(u, err)}
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(step)); err != nil {
		return &problem{err, ""}
	}
	return p.handshake(conn, u, password)
}

// passwordRemedy says what to do about a password that is not there.
func passwordRemedy(m config.MQTT) string {
	switch {
	case m.PasswordCredential != "":
		return "a systemd credential is there for the service only; " + AsService
	case m.PasswordEnv != "":
		return "the service has it from EnvironmentFile= or Environment= in its unit, this shell needs it too"
	}
	return "correct mqtt.password_file, and let the service's user read it: sudo chown root:fieldgate FILE; sudo chmod 640 FILE"
}

// password looks at the rights of the password's file.
func (p *Patient) password() []Check {
	file := p.Config.MQTT.PasswordFile
	info, err := os.Stat(file)
	if file == "" || err != nil { // the broker's check tells that there is none
		return nil
	}
	c := Check{Subject: "password", Level: OK, Detail: file + " is there"}
	switch password, err := credential.Password(p.Config.MQTT); {
	case err == nil && len(password) == 0:
		c.Level, c.Detail, c.Remedy = Warn, file+" is empty", "write the password into it, or remove mqtt.password_file"
	case info.Mode()&0o007 != 0:
		c.Level, c.Detail = Warn, fmt.Sprintf("%s can be read by everyone (mode %04o)", file, info.Mode().Perm())
		c.Remedy = fmt.Sprintf("sudo chown root:fieldgate %s; sudo chmod 640 %s", file, file)
	}
	return []Check{c}
}

// resolve looks up the host's name, to tell that failure from others.
func resolve(ctx context.Context, u *url.URL) *problem {
	if u.Scheme == "unix" || net.ParseIP(u.Hostname()) != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, step)
	defer cancel()
	if _, err := net.DefaultResolver.LookupHost(ctx, u.Hostname()); err != nil {
		return &problem{err, "check the host's name in mqtt.urls; resolvectl status shows the DNS servers, and ip route whether there is a way out"}
	}
	return nil
}

// dialRemedy says what to do about a connection that could not be made.
func dialRemedy(u *url.URL, err error) string {
	var unknown x509.UnknownAuthorityError
	var name x509.HostnameError
	var invalid x509.CertificateInvalidError
	var record tls.RecordHeaderError
	var alert tls.AlertError
	switch {
	case errors.As(err, &unknown):
		return "nobody that this machine trusts has signed the broker's certificate: set mqtt.tls.ca_file to the certificate of who did"
	case errors.As(err, &name):
		return "the broker's certificate is for another name: correct the host in mqtt.urls, or set mqtt.tls.server_name"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "the broker's certificate has ended or not begun: is this machine's clock right (timedatectl)?"
	case errors.As(err, &record):
		return "this port does not speak TLS: use mqtt:// for it, or the broker's TLS port, which is 8883 as a rule"
	case errors.As(err, &alert):
		return "the broker did not accept the TLS handshake: does it ask for a client's certificate (mqtt.tls.cert_file and key_file)?"
	case errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Sprintf("nothing listens there: is the broker running, and is %q its port (1883, with TLS 8883)?", u.Port())
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, syscall.ETIMEDOUT):
		return "no answer: a firewall may drop the packets, or the address is wrong"
	case errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EHOSTUNREACH):
		return "there is no way to that network: ip addr and ip route show this machine's"
	}
	return "check mqtt.urls and that the broker is running"
}

// handshake connects as the gateway would, with its session, and leaves that as it was.
func (p *Patient) handshake(conn net.Conn, u *url.URL, password []byte) *problem {
	m := p.Config.MQTT
	c := packet.Connect{ClientID: m.ClientID, KeepAlive: uint16(m.KeepAlive / time.Second), HasUsername: m.Username != "", Username: m.Username,
		HasPassword: password != nil, Password: password}
	if m.SessionExpiry > 0 {
		c.Properties.Present = packet.Props(packet.PropSessionExpiry)
		c.Properties.SessionExpiry = uint32(m.SessionExpiry / time.Second)
	}
	_, err := conn.Write(c.Append(nil))
	var answer *packet.Connack
	if err == nil {
		answer, err = readConnack(conn)
	}
	if err != nil {
		remedy := "is it an MQTT broker that knows version 5.0?"
		if u.Scheme == "mqtt" || u.Scheme == "ws" {
			remedy += " A port with TLS needs mqtts:// or wss://"
		}
		return &problem{fmt.Errorf("no answer to CONNECT: %w", err), remedy}
	}
	if answer.Code != packet.Success {
		err := fmt.Errorf("the broker refuses: %v", answer.Code)
		if answer.Properties.Present.Has(packet.PropReasonString) {
			err = fmt.Errorf("%w (%s)", err, answer.Properties.ReasonString)
		}
		return &problem{err, refusalRemedy(answer.Code)}
	}
	var bye packet.Disconnect
	if !answer.SessionPresent && m.SessionExpiry > 0 { // this connection made it
		bye.Properties.Present = packet.Props(packet.PropSessionExpiry)
	}
	_, _ = conn.Write(bye.Append(nil))
	return nil
}

// readConnack reads the first packet that a broker sends.
func readConnack(conn net.Conn) (*packet.Connack, error) {
	var head [packet.MaxHeaderSize]byte
	for i := range head {
		if _, err := io.ReadFull(conn, head[i:i+1]); err != nil {
			return nil, err
		}
		h, size, err := packet.DecodeHeader(head[:i+1])
		if err != nil {
			return nil, err
		}
		if size == 0 {
			continue
		}
		if h.Type != packet.CONNACK || h.Length > 64<<10 {
			return nil, fmt.Errorf("a packet of type %v and %d bytes came, want CONNACK", h.Type, h.Length)
		}
		body := make([]byte, h.Length)
		if _, err := io.ReadFull(conn, body); err != nil {
			return nil, err
		}
		answer := new(packet.Connack)
		return answer, answer.Decode(h, body)
	}
	return nil, errors.New("what came is no MQTT packet")
}

func refusalRemedy(code packet.ReasonCode) string {
	switch code {
	case 0x84:
		return "the broker does not know MQTT 5.0, which fieldgate speaks: update it"
	case 0x85:
		return "the broker wants another client identifier: set mqtt.client_id"
	case 0x86:
		return "check mqtt.username and the password"
	case 0x87:
		return "check mqtt.username and the password, the client's certificate, and the broker's access list for this client identifier"
	case 0x8A:
		return "the broker has banned this client: ask who runs it"
	case 0x88, 0x89, 0x97, 0x9F:
		return "the broker is overloaded or limits connections: wait, or ask who runs it"
	case 0x9C, 0x9D:
		return "the broker has moved: set mqtt.urls to its new address"
	}
	return "ask who runs the broker; its log tells more"
}
