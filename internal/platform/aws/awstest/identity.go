package awstest

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"time"
)

// A Certificate is one that the service made.
type Certificate struct {
	ID, PEM, Token string
	Thing          string // "" until it was registered: then it is active
}

// An Authority signs certificates.
type Authority struct {
	key  *ecdsa.PrivateKey
	Cert *x509.Certificate
}

// NewAuthority makes an Authority.
func NewAuthority() (*Authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test authority"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(1, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(der)
	return &Authority{key, cert}, err
}

// Issue signs a certificate for a key, as template has it; its times and number are filled in if
// they are missing. It returns DER.
func (a *Authority) Issue(template *x509.Certificate, key any) ([]byte, error) {
	if template.SerialNumber == nil {
		template.SerialNumber = new(big.Int).SetBytes([]byte(rand.Text()))
	}
	if template.NotAfter.IsZero() {
		template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().AddDate(1, 0, 0)
	}
	return x509.CreateCertificate(rand.Reader, template, a.Cert, key, a.key)
}

// Certificates returns the certificates that were made, and the names of the things that were
// registered.
func (s *Service) Certificates() (made []Certificate, things []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.certs {
		made = append(made, *c)
	}
	for thing := range s.things {
		things = append(things, thing)
	}
	return made, things
}

// Active reports whether a certificate (DER) is one that was registered.
func (s *Service) Active(der []byte) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.certs {
		if block, _ := pem.Decode([]byte(c.PEM)); block != nil && bytes.Equal(block.Bytes, der) {
			return c.Thing != ""
		}
	}
	return false
}

// see calls Seen with what happens to a request.
func (s *Service) see(event string) {
	if s.Seen != nil {
		s.Seen(event)
	}
}

func (s *Service) handleCertificates(rest string, payload []byte) {
	if rest != "create-from-csr/json" {
		return
	}
	topic := "$aws/certificates/" + rest
	var q struct {
		CSR string `json:"certificateSigningRequest"`
	}
	err := json.Unmarshal(payload, &q)
	s.see("create-from-csr asked")
	s.mu.Lock()
	code, fault := s.faultLocked("create-from-csr")
	s.mu.Unlock()
	if fault {
		s.rejectIdentity(topic, code, "InvalidRequest")
		return
	}
	block, rest2 := pem.Decode([]byte(q.CSR))
	if err != nil || block == nil || len(bytes.TrimSpace(rest2)) > 0 {
		s.rejectIdentity(topic, 400, "InvalidCSR")
		return
	}
	request, err := x509.ParseCertificateRequest(block.Bytes)
	if err != nil || request.CheckSignature() != nil {
		s.rejectIdentity(topic, 400, "InvalidCSR")
		return
	}
	c, err := s.sign(request)
	if err != nil {
		s.rejectIdentity(topic, 500, "InternalFailure")
		return
	}
	s.mu.Lock()
	s.certs[c.Token] = c
	s.mu.Unlock()
	s.see("create-from-csr done")
	s.Send(topic+"/accepted", tree{"certificateOwnershipToken": c.Token, "certificateId": c.ID, "certificatePem": c.PEM})
}

// sign makes a certificate for the key of a request.
func (s *Service) sign(request *x509.CertificateRequest) (*Certificate, error) {
	authority := s.Authority
	if authority == nil {
		var err error
		if authority, err = NewAuthority(); err != nil {
			return nil, err
		}
	}
	der, err := authority.Issue(&x509.Certificate{Subject: pkix.Name{CommonName: "AWS IoT Certificate"}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}, request.PublicKey)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(der)
	return &Certificate{ID: hex.EncodeToString(sum[:]), Token: rand.Text(), PEM: string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))}, nil
}

func (s *Service) handleProvision(template, rest string, payload []byte) {
	if rest != "provision/json" {
		return
	}
	topic := "$aws/provisioning-templates/" + template + "/" + rest
	var q struct {
		Token      string            `json:"certificateOwnershipToken"`
		Parameters map[string]string `json:"parameters"`
	}
	err := json.Unmarshal(payload, &q)
	s.see("provision asked")
	s.mu.Lock()
	code, fault := s.faultLocked("provision")
	prefix, known := s.Templates[template]
	c := s.certs[q.Token]
	serial := q.Parameters["SerialNumber"]
	accepted := !fault && err == nil && known && c != nil && serial != ""
	if accepted {
		c.Thing = "gw-" + serial
		s.things[c.Thing] = c.ID
	}
	s.mu.Unlock()
	switch {
	case fault:
		s.rejectIdentity(topic, code, "InvalidRequest")
	case err == nil && known && c == nil:
		s.rejectIdentity(topic, 400, "InvalidCertificateOwnershipToken")
	case !accepted:
		s.rejectIdentity(topic, 400, "InvalidParameters")
	default:
		s.see("provision done")
		configuration := tree{}
		if prefix != "" {
			configuration["topic_prefix"] = prefix
		}
		s.Send(topic+"/accepted", tree{"deviceConfiguration": configuration, "thingName": "gw-" + serial})
	}
}

// rejectIdentity answers as the identity service does; 0 leaves the request unanswered.
func (s *Service) rejectIdentity(topic string, code int, name string) {
	if code != 0 {
		s.Send(topic+"/rejected", tree{"statusCode": code, "errorCode": name, "errorMessage": "as the test wants it"})
	}
}
