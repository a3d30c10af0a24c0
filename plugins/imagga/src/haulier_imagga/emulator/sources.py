"""Where the facts about the service were read, all on 2026-11-22; no live service was asked."""

from __future__ import annotations

DOCS = "https://docs.imagga.com/"
GO_CLIENT = "https://github.com/henomis/imagga-go"
AIRBYTE = "https://github.com/airbytehq/airbyte/blob/master/airbyte-integrations/connectors/source-imagga/manifest.yaml"
PIPEDREAM = "https://github.com/PipedreamHQ/pipedream/tree/master/components/imagga"
DIRECTUS = "https://github.com/gbicou/directus-extension-imagga"
IMAGGA_SNIPPET = "https://bitbucket.org/imaggateam/workspace/snippets/LL6dd"
IMAGGA_TOOL = "https://github.com/mb243/imagga-tool"
POSTHOG = "https://github.com/PostHog/posthog"
NEXLA = "https://docs.nexla.com/user-guides/connectors/imagga_api/imagga_api_destination"
CLIENT_CODE = "seen in public client code, address unknown, read 2026-11-22"
