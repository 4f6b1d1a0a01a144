#!/bin/sh
exec curl -sfk --max-time 2 -o /dev/null https://localhost:{{.Port}}/healthz
