"""Names of architectures."""

import pytest

from pxed.architecture import HTTP_BOOT, Architecture, name_of, without_http


@pytest.mark.parametrize("number", sorted(HTTP_BOOT))
def test_http_boot_and_pxe_of_one_architecture_share_their_name(number):
    assert without_http(number) not in HTTP_BOOT
    assert name_of(without_http(number)) == name_of(number)


@pytest.mark.parametrize("number", [0, 7, 99])
def test_every_other_architecture_stays_as_it_is(number):
    assert without_http(number) == number


def test_a_number_that_is_not_registered_has_a_name_too():
    assert (name_of(99), name_of(7), name_of(Architecture.EBC)) == ("arch-99", "x86_64-efi", "x86_64-efi")
