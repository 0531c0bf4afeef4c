package enrol

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
)

// key returns the key of this board, and makes it if there is none. One that cannot be read is made
// again as long as no certificate belongs to it.
func (e *Enrolment) key() (*ecdsa.PrivateKey, error) {
	text, err := e.fs.Read(e.path(keyFile))
	if err == nil {
		var key *ecdsa.PrivateKey
		if key, err = parseKey(text); err == nil {
			return key, nil
		}
	}
	if e.state.Step != "" || err != nil && !errors.Is(err, fs.ErrNotExist) && text == nil {
		return nil, &Fault{What: fmt.Sprintf("the key %s cannot be used: %v", e.path(keyFile), err), Err: err,
			Remedy: "put it back, or delete the gateway's certificate at the platform, then sudo rm -r " + e.cfg.Dir + " and enrol again"}
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	if err := e.replace(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})); err != nil {
		return nil, err
	}
	e.cfg.Log.Info("a key was made on this board", "file", e.path(keyFile))
	return key, nil
}

func parseKey(text []byte) (*ecdsa.PrivateKey, error) {
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, errors.New("it is not in PEM form")
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, err
	}
	key, ok := parsed.(*ecdsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("it is a %T", parsed)
	}
	return key, nil
}

// request returns a certificate request for a key.
func request(key *ecdsa.PrivateKey, commonName string) (string, error) {
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: commonName}}, key)
	if err != nil {
		return "", fmt.Errorf("certificate request: %w", err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der})), nil
}

// chain returns the certificates of a text in PEM form, and nothing else of it. The first one must
// be for the key.
func chain(text string, key *ecdsa.PrivateKey) (string, error) {
	var out []byte
	for block, rest := pem.Decode([]byte(text)); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return "", err
		}
		if out == nil && !key.PublicKey.Equal(c.PublicKey) {
			return "", errors.New("it is for another key")
		}
		out = append(out, pem.EncodeToMemory(&pem.Block{Type: block.Type, Bytes: block.Bytes})...)
	}
	switch {
	case out == nil:
		return "", errors.New("it is not in PEM form")
	case len(out) > maxChain:
		return "", fmt.Errorf("it has %d bytes, of which %d are taken", len(out), maxChain)
	}
	return string(out), nil
}
