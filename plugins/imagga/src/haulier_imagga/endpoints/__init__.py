"""The calls of Imagga's version 2, a file for each or for what belongs together.

A call that can be made in two ways, by GET and with a file, has two templates.
"""

from __future__ import annotations

from haulier_imagga.endpoints.categorize_image import CATEGORIZE_IMAGE, CATEGORIZE_IMAGE_FILE
from haulier_imagga.endpoints.compare_faces import COMPARE_FACES
from haulier_imagga.endpoints.crop_image import CROP_IMAGE, CROP_IMAGE_FILE, CUT_IMAGE, CUT_IMAGE_FILE
from haulier_imagga.endpoints.delete_upload import DELETE_UPLOAD
from haulier_imagga.endpoints.detect_faces import DETECT_FACES, DETECT_FACES_FILE
from haulier_imagga.endpoints.extract_colors import EXTRACT_COLORS, EXTRACT_COLORS_FILE
from haulier_imagga.endpoints.feed_similar_images import FEED_SIMILAR_IMAGES, FEED_SIMILAR_IMAGES_FILE
from haulier_imagga.endpoints.forget_people import DELETE_FACE, DELETE_PERSON
from haulier_imagga.endpoints.get_ticket import GET_TICKET
from haulier_imagga.endpoints.group_faces import GROUP_FACES
from haulier_imagga.endpoints.list_categorizers import LIST_CATEGORIZERS
from haulier_imagga.endpoints.moderate_content import MODERATE_CONTENT, MODERATE_CONTENT_FILE
from haulier_imagga.endpoints.read_barcodes import READ_BARCODES
from haulier_imagga.endpoints.read_text import READ_TEXT, READ_TEXT_FILE
from haulier_imagga.endpoints.recognize_faces import FEED_PEOPLE, GET_PERSON, SEARCH_PEOPLE
from haulier_imagga.endpoints.remove_background import REMOVE_BACKGROUND, REMOVE_BACKGROUND_FILE
from haulier_imagga.endpoints.similar_images import (
    SEARCH_BY_ENTRY,
    SEARCH_SIMILAR_IMAGES,
    SEARCH_SIMILAR_IMAGES_FILE,
)
from haulier_imagga.endpoints.similar_indexes import (
    DELETE_SIMILAR_ENTRY,
    DELETE_SIMILAR_INDEX,
    TRAIN_SIMILAR_IMAGES,
)
from haulier_imagga.endpoints.start_batch import START_BATCH
from haulier_imagga.endpoints.tag_feedback import TAG_FEEDBACK
from haulier_imagga.endpoints.tag_image import (
    TAG_IMAGE,
    TAG_IMAGE_CUSTOM,
    TAG_IMAGE_CUSTOM_FILE,
    TAG_IMAGE_FILE,
)
from haulier_imagga.endpoints.train_people import TRAIN_PEOPLE
from haulier_imagga.endpoints.upload_image import UPLOAD_IMAGE
from haulier_imagga.endpoints.usage import USAGE

__all__ = ["TEMPLATES"]

TEMPLATES = (
    UPLOAD_IMAGE,
    DELETE_UPLOAD,
    TAG_IMAGE,
    TAG_IMAGE_FILE,
    TAG_IMAGE_CUSTOM,
    TAG_IMAGE_CUSTOM_FILE,
    TAG_FEEDBACK,
    LIST_CATEGORIZERS,
    CATEGORIZE_IMAGE,
    CATEGORIZE_IMAGE_FILE,
    MODERATE_CONTENT,
    MODERATE_CONTENT_FILE,
    EXTRACT_COLORS,
    EXTRACT_COLORS_FILE,
    CROP_IMAGE,
    CROP_IMAGE_FILE,
    CUT_IMAGE,
    CUT_IMAGE_FILE,
    REMOVE_BACKGROUND,
    REMOVE_BACKGROUND_FILE,
    READ_TEXT,
    READ_TEXT_FILE,
    READ_BARCODES,
    DETECT_FACES,
    DETECT_FACES_FILE,
    COMPARE_FACES,
    GROUP_FACES,
    FEED_PEOPLE,
    TRAIN_PEOPLE,
    SEARCH_PEOPLE,
    GET_PERSON,
    DELETE_PERSON,
    DELETE_FACE,
    FEED_SIMILAR_IMAGES,
    FEED_SIMILAR_IMAGES_FILE,
    TRAIN_SIMILAR_IMAGES,
    SEARCH_SIMILAR_IMAGES,
    SEARCH_SIMILAR_IMAGES_FILE,
    SEARCH_BY_ENTRY,
    DELETE_SIMILAR_ENTRY,
    DELETE_SIMILAR_INDEX,
    START_BATCH,
    GET_TICKET,
    USAGE,
)
