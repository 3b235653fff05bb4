package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
)

// docs: service config
// A call that has no answer yet when its connection breaks, or to which the gateway answers UNAVAILABLE, is repeated.
const serviceConfig = `{
  "methodConfig": [{
    "name": [
      {"service": "backcast.gateway.v1.BacktestService"},
      {"service": "backcast.gateway.v1.RunService"}
    ],
    "retryPolicy": {
      "maxAttempts": 5,
      "initialBackoff": "0.5s",
      "maxBackoff": "5s",
      "backoffMultiplier": 2,
      "retryableStatusCodes": ["UNAVAILABLE"]
    }
  }]
}`

// docs: end

// docs: connect
// connect returns a connection to the gateway, which it opens with the first call.
func connect() (*grpc.ClientConn, error) {
	address := os.Getenv("BACKCAST_GATEWAY_ADDRESS")
	if address == "" {
		address = "127.0.0.1:50051"
	}
	transport, err := transportCredentials(os.Getenv("BACKCAST_TLS_CA_FILE"), os.Getenv("BACKCAST_TLS") == "1")
	if err != nil {
		return nil, err
	}
	options := []grpc.DialOption{
		grpc.WithTransportCredentials(transport),
		grpc.WithDefaultServiceConfig(serviceConfig),
		// A machine that has vanished is noticed within 40 seconds.
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 20 * time.Second, Timeout: 20 * time.Second}),
		// A gateway that is back is found within a second.
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: 100 * time.Millisecond, Multiplier: 1.6, MaxDelay: time.Second},
			MinConnectTimeout: 5 * time.Second,
		}),
	}
	if token := os.Getenv("BACKCAST_TOKEN"); token != "" {
		options = append(options, grpc.WithPerRPCCredentials(bearer(token)))
	}
	return grpc.NewClient(address, options...)
}

// transportCredentials returns TLS that trusts the CA of a file or, without one, the public CAs; or plaintext.
func transportCredentials(caFile string, withTLS bool) (credentials.TransportCredentials, error) {
	if caFile == "" && !withTLS {
		return insecure.NewCredentials(), nil
	}
	config := &tls.Config{}
	if caFile != "" {
		pem, err := os.ReadFile(caFile)
		if err != nil {
			return nil, err
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s has no certificate in PEM", caFile)
		}
	}
	return credentials.NewTLS(config), nil
}

// bearer is a token, which calls carry in their metadata; never in plaintext.
type bearer string

func (token bearer) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return map[string]string{"authorization": "Bearer " + string(token)}, nil
}

func (bearer) RequireTransportSecurity() bool { return true }

// docs: end
