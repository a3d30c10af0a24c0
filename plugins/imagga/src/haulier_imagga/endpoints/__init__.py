"""The calls of Imagga's version 2, one file each; a call that can be made in two ways has two templates."""

from __future__ import annotations

from haulier_imagga.endpoints.categorize_image import CATEGORIZE_IMAGE, CATEGORIZE_IMAGE_FILE
from haulier_imagga.endpoints.delete_upload import DELETE_UPLOAD
from haulier_imagga.endpoints.detect_faces import DETECT_FACES, DETECT_FACES_FILE
from haulier_imagga.endpoints.get_ticket import GET_TICKET
from haulier_imagga.endpoints.group_faces import GROUP_FACES
from haulier_imagga.endpoints.moderate_content import MODERATE_CONTENT, MODERATE_CONTENT_FILE
from haulier_imagga.endpoints.tag_feedback import TAG_FEEDBACK
from haulier_imagga.endpoints.tag_image import TAG_IMAGE, TAG_IMAGE_FILE
from haulier_imagga.endpoints.upload_image import UPLOAD_IMAGE
from haulier_imagga.endpoints.usage import USAGE

__all__ = ["TEMPLATES"]

TEMPLATES = (
    UPLOAD_IMAGE,
    DELETE_UPLOAD,
    TAG_FEEDBACK,
    GROUP_FACES,
    TAG_IMAGE,
    TAG_IMAGE_FILE,
    CATEGORIZE_IMAGE,
    CATEGORIZE_IMAGE_FILE,
    MODERATE_CONTENT,
    MODERATE_CONTENT_FILE,
    DETECT_FACES,
    DETECT_FACES_FILE,
    GET_TICKET,
    USAGE,
)
