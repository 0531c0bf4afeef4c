package awstest_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fieldgate/fieldgate/internal/platform/aws/awstest"
	"github.com/fieldgate/fieldgate/mqtt/mqtttest"
)

// TestJudge lets Amazon's own device client use the fake services: what it takes for granted, and
// how it reads rejections, is as with the real ones. `make test-aws` installs it.
func TestJudge(t *testing.T) {
	modules, err := filepath.Abs("../../../../bin/aws/node_modules")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(modules, "aws-iot-device-sdk-v2")); err != nil {
		t.Skip("Amazon's device client is not installed: NOTHING IS PROVEN of the fake; run make test-aws")
	}
	broker := mqtttest.New(mqtttest.Behavior{})
	defer broker.Close()
	s, err := awstest.Serve(t.Context(), "mqtt://b", broker.Dial)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	s.Templates["fleet"] = "plant7"
	s.AddJob("worker", "one", `{"operation":"ping"}`)
	s.AddJob("worker", "two", `{"operation":"flush"}`)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	broker.Serve(l)
	host, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: "gw-0042"}}, key)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "node", "judge.js", host, port)
	cmd.Env = append(os.Environ(), "NODE_PATH="+modules)
	cmd.Stdin = strings.NewReader(string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der})))
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "as documented") {
		t.Errorf("%v\n%s", err, out)
	}
	if made, things := s.Certificates(); len(made) != 1 || len(things) != 1 {
		t.Errorf("%d certificates, things %q", len(made), things)
	}
}
