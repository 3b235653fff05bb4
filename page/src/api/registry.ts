/** The details of errors that can stand in a status as google.protobuf.Any. */

import { createRegistry } from "@bufbuild/protobuf";
import { BadRequestSchema, ErrorInfoSchema, RetryInfoSchema } from "./stubs/google/rpc/error_details_pb";

export const registry = createRegistry(BadRequestSchema, ErrorInfoSchema, RetryInfoSchema);
