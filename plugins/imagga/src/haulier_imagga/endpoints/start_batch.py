"""POST /v2/batches: many calls of one endpoint as one job."""

from __future__ import annotations

from haulier_imagga.endpoints._call import imagga_job

__all__ = ["START_BATCH"]

START_BATCH = imagga_job(
    name="start-batch",
    title="Batch of Calls",
    description=(
        "Gathers the attribute `params` of many records into one call and starts one job that tags them all. `params` "
        'holds what one call would have as query: {"image_url": "https://..."}.'
    ),
    method="POST",
    path="/v2/batches",
    attributes="body",
    content_formats=("json",),
    batch="container",
    # The property is the path of the call that is made for each item.
    batching={"grouping": {"name": "property", "property_name": "/tags"}, "item": ["params"]},
    item_type="object",
    notes=(
        "Known from one client only. Imagga's documentation does not list it any more; neither the most items of a "
        "batch nor the shape of its result was read in any source. So nothing is told apart in it: each record gets "
        "the whole result of its job, untouched, and a job that ends well delivers all of them. With `batching: {size: "
        "1}` each record has a job, and a result, of its own.",
        "For other calls name their path: `batching: {grouping: {name: property, property_name: /colors}, item: "
        "[params]}`; for /categories, `categorizer_id` stands in `params`, too.",
    ),
    verified=False,
    source="https://github.com/PipedreamHQ/pipedream/tree/master/components/imagga",
)
