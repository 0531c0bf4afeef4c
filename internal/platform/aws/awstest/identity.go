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
	Thing          string // "" until it was registered
}

// Certificates returns how many certificates were made, and the things that were registered.
func (s *Service) Certificates() (made int, things []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for thing := range s.things {
		things = append(things, thing)
	}
	return len(s.certs), things
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
	s.mu.Lock()
	defer s.mu.Unlock()
	if code, fault := s.faultLocked("create-from-csr"); fault {
		s.rejectIdentity(topic, code)
		return
	}
	block, rest2 := pem.Decode([]byte(q.CSR))
	if err != nil || block == nil || len(bytes.TrimSpace(rest2)) > 0 {
		s.rejectIdentity(topic, 400)
		return
	}
	request, err := x509.ParseCertificateRequest(block.Bytes)
	if err != nil || request.CheckSignature() != nil {
		s.rejectIdentity(topic, 400)
		return
	}
	c, err := sign(request)
	if err != nil {
		s.rejectIdentity(topic, 500)
		return
	}
	s.certs[c.Token] = c
	s.Send(topic+"/accepted", tree{"certificateOwnershipToken": c.Token, "certificateId": c.ID, "certificatePem": c.PEM})
}

// sign makes a certificate for the key of a request, by an authority of its own.
func sign(request *x509.CertificateRequest) (*Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "AWS IoT Certificate"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(20, 0, 0)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, request.PublicKey, key)
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
	s.mu.Lock()
	defer s.mu.Unlock()
	if code, fault := s.faultLocked("provision"); fault {
		s.rejectIdentity(topic, code)
		return
	}
	prefix, known := s.Templates[template]
	c := s.certs[q.Token]
	serial := q.Parameters["SerialNumber"]
	if err != nil || !known || c == nil || serial == "" {
		s.rejectIdentity(topic, 400)
		return
	}
	c.Thing = "gw-" + serial
	s.things[c.Thing] = c.ID
	configuration := tree{}
	if prefix != "" {
		configuration["topic_prefix"] = prefix
	}
	s.Send(topic+"/accepted", tree{"deviceConfiguration": configuration, "thingName": c.Thing})
}

// rejectIdentity answers as the identity service does; 0 leaves the request unanswered.
func (s *Service) rejectIdentity(topic string, code int) {
	if code != 0 {
		s.Send(topic+"/rejected", tree{"statusCode": code, "errorCode": "InvalidRequest", "errorMessage": "as the test wants it"})
	}
}
