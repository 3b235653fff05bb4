package main

import (
	"fmt"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// docs: errors
// problem is what a status says: that of a call, or that of a crypto without a result.
type problem struct {
	code       codes.Code
	message    string                                  // for people
	reason     string                                  // of docs/errors.md; empty if the error is gRPC's own
	metadata   map[string]string                       // of the reason
	fields     []*errdetails.BadRequest_FieldViolation // the bad fields of the request
	retryAfter time.Duration                           // after which trying again may help; 0: it does not, or nobody knows
}

func problemOf(said *status.Status) problem {
	found := problem{code: said.Code(), message: said.Message()}
	for _, detail := range said.Details() {
		switch detail := detail.(type) {
		case *errdetails.ErrorInfo:
			if detail.GetDomain() == "backcast" {
				found.reason, found.metadata = detail.GetReason(), detail.GetMetadata()
			}
		case *errdetails.BadRequest:
			found.fields = detail.GetFieldViolations()
		case *errdetails.RetryInfo:
			found.retryAfter = detail.GetRetryDelay().AsDuration()
		}
	}
	return found
}

// docs: end

func (p problem) String() string {
	lines := []string{fmt.Sprintf("%v %s: %s", p.code, p.reason, p.message)}
	for _, field := range p.fields {
		lines = append(lines, fmt.Sprintf("  %s: %s", field.GetField(), field.GetDescription()))
	}
	return strings.Join(lines, "\n")
}
